"""The decision over identity and resource policies."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_constructs.emulator.iam.documents import PolicyKind, parse_document
from nova_constructs.emulator.iam.errors import EvaluationError
from nova_constructs.emulator.iam.evaluator import Effect, Rule
from nova_constructs.emulator.iam.principals import role_session, service
from tests.emulator.iam_support import ACCOUNT, ROLE_ARN, decide, document, policy, resource_policy, statement

ROOT = f"arn:aws:iam::{ACCOUNT}:root"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/Worker/session"


def test_nothing_is_allowed_without_a_policy() -> None:
    decision = decide()

    assert decision.effect is Effect.IMPLICIT_DENY
    assert decision.reason == "because no identity-based policy allows the s3:GetObject action"


def test_an_allow_names_its_policy_and_sid() -> None:
    decision = decide(policy(statement(Sid="ReadDataset"), name="PlanRunPolicy"))

    assert decision.allowed
    assert decision.statement == ("PlanRunPolicy", "ReadDataset")


def test_an_explicit_deny_wins_over_every_allow() -> None:
    decision = decide(policy(statement()), policy(statement("Deny", Sid="Never"), name="Second"))

    assert decision.effect is Effect.EXPLICIT_DENY
    assert decision.statement == ("Second", "Never")
    assert decision.reason == "with an explicit deny in an identity-based policy"


@pytest.mark.parametrize(
    ("elements", "allowed"),
    [
        ({"Action": "S3:getobject"}, True),
        ({"Action": "s3:Get*"}, True),
        ({"Action": "s3:GetObjec?"}, True),
        ({"Action": "*"}, True),
        ({"Action": ["s3:PutObject", "s3:ListBucket"]}, False),
        ({"NotAction": "s3:PutObject"}, True),
        ({"NotAction": "s3:Get*"}, False),
        ({"Resource": "*"}, True),
        ({"Resource": "arn:aws:s3:::data/*"}, True),
        ({"Resource": "arn:aws:s3:::data"}, False),
        ({"Resource": "arn:aws:s3:::DATA/train.jsonl"}, False),
        ({"NotResource": "arn:aws:s3:::other/*"}, True),
        ({"NotResource": "arn:aws:s3:::data/*"}, False),
    ],
)
def test_action_and_resource_elements(elements: dict[str, Any], allowed: bool) -> None:
    assert decide(policy(statement(**elements))).allowed is allowed


@pytest.mark.parametrize(
    ("pattern", "arn", "allowed"),
    [
        ("arn:aws:lambda:us-east-1:1:function:plan*", "arn:aws:lambda:us-east-1:1:function:plan:3", True),
        ("arn:aws:lambda:us-east-1:1:function:plan", "arn:aws:lambda:us-east-1:1:function:plan:3", False),
        ("arn:aws:lambda:*:*:function:plan", "arn:aws:lambda:us-east-1:1:function:plan", True),
        ("arn:aws:lambda:us-*-1:1:function:plan", "arn:aws:lambda:us-east-1:1:function:plan", True),
        ("arn:aws:lambda:u*1:1:function:plan", "arn:aws:lambda:us-east-1:x-1:1:function:plan", False),
        ("arn:aws:logs:us-east-1:1:log-group:a:*", "arn:aws:logs:us-east-1:1:log-group:a:log-stream:b", True),
        ("arn:aws:logs:us-east-1:1:log-group:a", "arn:aws:logs:us-east-1:1:log-group:a:log-stream:", False),
    ],
)
def test_wildcards_in_resources(pattern: str, arn: str, allowed: bool) -> None:
    assert decide(policy(statement(Action="*", Resource=pattern)), resource=arn).allowed is allowed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ('{"Version": "2012-10-17"}', "no Statement"),
        ('{"Version": "2020-01-01", "Statement": []}', "version"),
        (document({"Effect": "Allow", "Action": "*"}), "neither Resource nor NotResource"),
        (document({"Effect": "Permit", "Action": "*", "Resource": "*"}), "Effect"),
        (document({"Effect": "Allow", "Resource": "*"}), "neither Action nor NotAction"),
        (document(statement(Action="s3:GetObject", NotAction="s3:PutObject")), "both Action and NotAction"),
        (document(statement(Resource="data/train.jsonl")), "neither an ARN nor"),
        (document(statement(Action="GetObject")), "malformed action"),
        (document(statement(Principal="*")), "identity-based policy names a principal"),
        (document(statement(Actions="s3:GetObject")), "malformed statement"),
        (document(statement(Condition={"StringMatches": {"aws:PrincipalArn": "x"}})), "StringMatches"),
        (document(statement(Sid="A"), statement(Sid="A")), "Sid twice"),
    ],
)
def test_a_malformed_policy_is_an_error_never_an_allow(text: str, words: str) -> None:
    with pytest.raises(EvaluationError, match=words):
        parse_document(text, PolicyKind.IDENTITY)


@pytest.mark.parametrize(
    ("principal", "allowed"),
    [
        ("*", True),
        ({"AWS": "*"}, True),
        ({"AWS": ROLE_ARN}, True),
        ({"AWS": SESSION}, True),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/Other"}, False),
        ({"AWS": ROOT}, False),
        ({"Service": "events.amazonaws.com"}, False),
    ],
)
def test_a_resource_policy_alone_allows_whom_it_names(principal: Any, allowed: bool) -> None:
    assert decide(guard=resource_policy(statement(Principal=principal))).allowed is allowed


def test_a_deny_for_the_account_covers_its_roles() -> None:
    decision = decide(policy(statement()), guard=resource_policy(statement("Deny", Principal={"AWS": ROOT})))

    assert decision.effect is Effect.EXPLICIT_DENY
    assert decision.reason == "with an explicit deny in a resource-based policy"


def test_not_principal_exempts_only_a_caller_listed_whole() -> None:
    whole = statement("Deny", NotPrincipal={"AWS": [ROOT, ROLE_ARN, SESSION]})
    partial = statement("Deny", NotPrincipal={"AWS": [ROOT, ROLE_ARN]})

    assert decide(policy(statement()), guard=resource_policy(whole)).allowed
    assert not decide(policy(statement()), guard=resource_policy(partial)).allowed


def test_allow_with_not_principal_is_refused() -> None:
    with pytest.raises(EvaluationError, match="NotPrincipal"):
        resource_policy(statement(NotPrincipal={"AWS": ROOT}))


@pytest.mark.parametrize(
    ("identity", "principal", "allowed"),
    [
        (True, {"AWS": ROOT}, True),
        (False, {"AWS": ROOT}, False),
        (False, {"AWS": ROLE_ARN}, True),
        (True, {"AWS": f"arn:aws:iam::{ACCOUNT}:role/Other"}, False),
    ],
)
def test_a_key_needs_its_own_policy(identity: bool, principal: Any, allowed: bool) -> None:
    policies = [policy(statement(Action="kms:Decrypt", Resource="*"))] if identity else []
    guard = resource_policy(statement(Action="kms:*", Resource="*", Principal=principal))

    decision = decide(
        *policies, action="kms:Decrypt", resource="arn:aws:kms:us-east-1:1:key/k", guard=guard, rule=Rule.KEY
    )

    assert decision.allowed is allowed


def test_another_account_needs_both_sides() -> None:
    guard = resource_policy(statement(Principal={"AWS": ROLE_ARN}))

    assert decide(policy(statement()), guard=guard, rule=Rule.BOTH).allowed
    assert not decide(policy(statement()), rule=Rule.BOTH).allowed
    assert not decide(guard=guard, rule=Rule.BOTH).allowed


def test_a_service_is_let_in_by_the_resource_alone() -> None:
    events = service("events.amazonaws.com", ACCOUNT)
    guard = resource_policy(statement(Principal={"Service": "events.amazonaws.com"}))

    assert decide(principal=events, guard=guard).allowed
    assert not decide(policy(statement()), principal=events).allowed
    assert not decide(principal=service("sns.amazonaws.com", ACCOUNT), guard=guard).allowed


def test_variables_are_filled_in_resources() -> None:
    own = policy(statement(Resource="arn:aws:s3:::data/${aws:PrincipalTag/team}/*"))
    own_tag = {"aws:PrincipalTag/team": "nova"}
    wild_tag = {"aws:PrincipalTag/team": "*"}

    assert decide(own, resource="arn:aws:s3:::data/nova/x", context=own_tag).allowed
    assert not decide(own, resource="arn:aws:s3:::data/other/x", context=own_tag).allowed
    assert not decide(own, resource="arn:aws:s3:::data/other/x", context=wild_tag).allowed
    assert not decide(own, resource="arn:aws:s3:::data/nova/x").allowed
    assert not decide(policy(statement(Resource="arn:aws:s3:::data/*${aws:username}"))).allowed


def test_a_variable_without_a_value_in_not_resource_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="NotResource"):
        decide(policy(statement(NotResource="arn:aws:s3:::${aws:username}/*")))


def test_old_policy_versions_have_no_variables() -> None:
    text = json.dumps({"Version": "2008-10-17", "Statement": statement(Resource="arn:aws:s3:::data/${aws:username}")})
    parsed = parse_document(text, PolicyKind.IDENTITY)

    assert parsed[0].covers("s3:GetObject", "arn:aws:s3:::data/${aws:username}", context=_empty())


def _empty() -> Any:
    from nova_constructs.emulator.iam.context import Context

    return Context({})


_ACTIONS = st.sampled_from(["s3:GetObject", "s3:Get*", "s3:PutObject", "*", "s3:*"])
_RESOURCES = st.sampled_from(["*", "arn:aws:s3:::data/*", "arn:aws:s3:::data/train.jsonl", "arn:aws:s3:::other/*"])
_CONDITIONS = st.sampled_from(
    [
        None,
        {"Bool": {"aws:SecureTransport": "true"}},
        {"Bool": {"aws:SecureTransport": "false"}},
        {"StringNotEquals": {"aws:PrincipalAccount": "999999999999"}},
        {"Null": {"aws:SourceArn": "false"}},
    ]
)


@st.composite
def _statements(draw: st.DrawFn, effects: tuple[str, ...] = ("Allow", "Deny")) -> dict[str, Any]:
    made = {
        "Effect": draw(st.sampled_from(effects)),
        draw(st.sampled_from(["Action", "NotAction"])): draw(_ACTIONS),
        draw(st.sampled_from(["Resource", "NotResource"])): draw(_RESOURCES),
    }
    condition = draw(_CONDITIONS)
    return {**made, "Condition": condition} if condition else made


_CONTEXT = {"aws:SecureTransport": "true", "aws:PrincipalAccount": ACCOUNT}


@given(st.lists(_statements(), max_size=5), _statements(effects=("Deny",)))
def test_adding_a_deny_never_allows_more(statements: list[dict[str, Any]], extra: dict[str, Any]) -> None:
    before = decide(policy(*statements), context=_CONTEXT)
    after = decide(policy(*statements, extra), context=_CONTEXT)

    assert before.allowed or not after.allowed


@given(st.lists(_statements(), min_size=1, max_size=5), st.data())
def test_removing_an_allow_never_allows_more(statements: list[dict[str, Any]], data: st.DataObject) -> None:
    allows = [index for index, each in enumerate(statements) if each["Effect"] == "Allow"]
    if not allows:
        return
    removed = data.draw(st.sampled_from(allows))
    before = decide(policy(*statements), context=_CONTEXT)
    after = decide(policy(*statements[:removed], *statements[removed + 1 :]), context=_CONTEXT)

    assert before.allowed or not after.allowed


@given(st.permutations([statement(), statement("Deny", Action="s3:*"), statement(Action="*")]))
def test_the_order_of_statements_does_not_matter(statements: list[dict[str, Any]]) -> None:
    assert decide(policy(*statements)).effect is Effect.EXPLICIT_DENY


def test_a_session_is_named_as_sts_names_it() -> None:
    session = role_session(f"arn:aws:iam::{ACCOUNT}:role/path/Worker", "plan")

    assert session.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/Worker/plan"
    assert session.name == "Worker"
