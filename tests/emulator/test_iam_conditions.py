"""Every condition operator, with the meaning of absent and multi-valued keys."""

from __future__ import annotations

from typing import Any

import pytest

from nova_constructs.emulator.iam.errors import EvaluationError
from tests.emulator.iam_support import decide, policy, statement

ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:nova"


def holds(condition: dict[str, Any], **context: Any) -> bool:
    """Tell whether a condition holds; the context's keys are given with __ for : and _ for -."""
    given = {key.replace("__", ":").replace("_", "-"): value for key, value in context.items()}
    return decide(policy(statement(Condition=condition)), context=given).allowed


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "expected"),
    [
        ("StringEquals", "nova", "nova", True),
        ("StringEquals", "nova", "Nova", False),
        ("StringEquals", "no*", "nova", False),
        ("StringEquals", ["a", "nova"], "nova", True),
        ("StringNotEquals", "nova", "other", True),
        ("StringNotEquals", ["a", "nova"], "nova", False),
        ("StringEqualsIgnoreCase", "NOVA", "nova", True),
        ("StringNotEqualsIgnoreCase", "NOVA", "nova", False),
        ("StringLike", "no?a*", "nova-lite", True),
        ("StringLike", "NO*", "nova", False),
        ("StringNotLike", "no*", "nova", False),
        ("StringNotLike", "no*", "lite", True),
        ("ArnEquals", ARN, ARN, True),
        ("ArnEquals", "arn:aws:states:*:*:stateMachine:no*", ARN, True),
        ("ArnLike", "arn:aws:states:*:*:stateMachine:*", ARN, True),
        ("ArnLike", "arn:aws:*:stateMachine:*", ARN, False),
        ("ArnLike", "arn:aws:states:*:*:execution:*", ARN, False),
        ("ArnLike", ARN, "not an arn", False),
        ("ArnNotEquals", ARN, ARN, False),
        ("ArnNotLike", "arn:aws:lambda:*:*:*", ARN, True),
        ("Bool", "true", "true", True),
        ("Bool", True, "true", True),
        ("Bool", "TRUE", "false", False),
        ("NumericEquals", 3600, "3600", True),
        ("NumericEquals", "3600", "3600.0", True),
        ("NumericNotEquals", "1", "1", False),
        ("NumericLessThan", "10", "9", True),
        ("NumericLessThan", "10", "10", False),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericGreaterThan", "10", "9", False),
        ("NumericGreaterThanEquals", "10", "10", True),
        ("DateEquals", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00+00:00", True),
        ("DateNotEquals", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z", False),
        ("DateLessThan", "2026-11-23", "2026-11-22T10:00:00Z", True),
        ("DateLessThanEquals", "1795341600", "2026-11-22T10:00:00Z", True),
        ("DateGreaterThan", "2026-11-23T00:00:00Z", "2026-11-22T10:00:00Z", False),
        ("DateGreaterThanEquals", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z", True),
        ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
        ("IpAddress", ["192.168.0.0/16", "10.1.2.3"], "10.1.2.3", True),
        ("IpAddress", "2001:db8::/32", "2001:db8::1", True),
        ("NotIpAddress", "10.0.0.0/8", "10.1.2.3", False),
        ("BinaryEquals", "bm92YQ==", "bm92YQ==", True),
    ],
)
def test_operator(operator: str, wanted: Any, given: str, expected: bool) -> None:
    assert holds({operator: {"aws:SourceArn": wanted}}, aws__SourceArn=given) is expected


@pytest.mark.parametrize(
    ("operator", "wanted", "expected"),
    [
        ("StringEquals", "x", False),
        ("StringLike", "*", False),
        ("ArnLike", "*", False),
        ("Bool", "false", False),
        ("NumericLessThan", "1", False),
        ("IpAddress", "0.0.0.0/0", False),
        ("StringNotEquals", "x", True),
        ("StringNotLike", "*", True),
        ("ArnNotLike", "*", True),
        ("NotIpAddress", "0.0.0.0/0", True),
        ("StringEqualsIfExists", "x", True),
        ("BoolIfExists", "false", True),
        ("Null", "true", True),
        ("Null", "false", False),
        ("ForAllValues:StringEquals", "x", True),
        ("ForAnyValue:StringEquals", "x", False),
        ("ForAnyValue:StringNotEquals", "x", False),
    ],
)
def test_an_absent_key(operator: str, wanted: str, expected: bool) -> None:
    assert holds({operator: {"aws:SourceArn": wanted}}) is expected


@pytest.mark.parametrize(
    ("operator", "wanted", "expected"),
    [
        ("ForAllValues:StringEquals", ["stage", "run"], True),
        ("ForAllValues:StringEquals", ["run"], False),
        ("ForAnyValue:StringEquals", ["run"], True),
        ("ForAnyValue:StringEquals", ["cost"], False),
        ("ForAllValues:StringNotEquals", ["cost"], True),
        ("ForAllValues:StringNotEquals", ["run"], False),
        ("ForAnyValue:StringNotEquals", ["run"], True),
        ("ForAllValues:StringLike", ["r*", "s*"], True),
        ("Null", "false", True),
    ],
)
def test_a_list_of_values(operator: str, wanted: Any, expected: bool) -> None:
    assert holds({operator: {"aws:TagKeys": wanted}}, aws__TagKeys=("run", "stage")) is expected


def test_every_key_and_every_operator_must_hold() -> None:
    condition = {
        "StringEquals": {"aws:SourceAccount": "1", "aws:PrincipalAccount": "2"},
        "Bool": {"aws:SecureTransport": "true"},
    }
    both = {"aws__SourceAccount": "1", "aws__PrincipalAccount": "2"}

    assert holds(condition, **both, aws__SecureTransport="true")
    assert not holds(condition, **both, aws__SecureTransport="false")
    assert not holds(condition, aws__SourceAccount="1", aws__SecureTransport="true")


def test_keys_are_found_without_regard_to_case() -> None:
    assert holds({"Bool": {"AWS:securetransport": "true"}}, aws__SecureTransport="true")


def test_variables_are_filled_in_conditions() -> None:
    condition = {"StringEquals": {"aws:SourceAccount": "${aws:PrincipalAccount}"}}

    assert holds(condition, aws__SourceAccount="1", aws__PrincipalAccount="1")
    assert not holds(condition, aws__SourceAccount="1", aws__PrincipalAccount="2")
    assert not holds(condition, aws__SourceAccount="1")


def test_a_variable_may_have_a_default_and_escaped_wildcards() -> None:
    assert holds({"StringEquals": {"s3:prefix": "${aws:username, 'nobody'}"}}, s3__prefix="nobody")
    assert holds({"StringLike": {"s3:prefix": "a${*}b"}}, s3__prefix="a*b")
    assert not holds({"StringLike": {"s3:prefix": "a${*}b"}}, s3__prefix="axb")


@pytest.mark.parametrize(
    ("condition", "context"),
    [
        ({"StringEquals": {"aws:TagKeys": "run"}}, {"aws__TagKeys": ("run",)}),
        ({"NumericLessThan": {"aws:SourceArn": "many"}}, {"aws__SourceArn": "1"}),
        ({"DateLessThan": {"aws:SourceArn": "soon"}}, {"aws__SourceArn": "2026-11-22"}),
        ({"IpAddress": {"aws:SourceArn": "here"}}, {"aws__SourceArn": "10.0.0.1"}),
        ({"Bool": {"aws:SourceArn": "perhaps"}}, {"aws__SourceArn": "true"}),
        ({"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}, {}),
        ({"StringEqualsIfExists": {"ec2:InstanceType": "x"}}, {}),
        ({"StringNotEquals": {"aws:SourceAccount": "${aws:username}"}}, {"aws__SourceAccount": "1"}),
    ],
)
def test_what_has_no_known_meaning_is_an_error(condition: dict[str, Any], context: dict[str, Any]) -> None:
    with pytest.raises(EvaluationError):
        holds(condition, **context)


@pytest.mark.parametrize(
    "condition",
    [
        {"StringMatches": {"aws:SourceArn": "x"}},
        {"ForEachValue:StringEquals": {"aws:SourceArn": "x"}},
        {"NullIfExists": {"aws:SourceArn": "true"}},
        {"Null": {"aws:SourceArn": "maybe"}},
        {"StringEquals": {}},
        {"StringEquals": {"aws:SourceArn": {"x": 1}}},
        {"StringEquals": "x"},
        ["StringEquals"],
    ],
)
def test_a_malformed_condition_is_an_error(condition: Any) -> None:
    with pytest.raises(EvaluationError):
        policy(statement(Condition=condition))
