"""Services that assume roles or deliver by resource policy, AssumeRole by callers, and policy simulation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto.core.base_backend import BackendDict

from nova_constructs.emulator.aws import client_as
from nova_constructs.emulator.iam import credentials
from nova_constructs.emulator.iam.delivery import check_resource_policy_delivery
from nova_constructs.emulator.iam.engine import current
from nova_constructs.emulator.iam.errors import AccessDeniedError, EvaluationError
from tests.emulator import iam_world
from tests.emulator.iam_support import ACCOUNT, REGION, document
from tests.emulator.iam_world import World, allow, refused

RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/nova"
JOB = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/demo"
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}


@pytest.fixture(scope="module")
def server() -> Iterator[World]:
    with iam_world.running() as world:
        yield world


@pytest.fixture
def world(server: World) -> World:
    BackendDict.reset()
    server.state.reset()
    return server


def trust(service: str, **condition: Any) -> dict[str, Any]:
    made = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {**made, "Condition": condition} if condition else made


def test_a_service_assumes_a_role_that_trusts_it(world: World) -> None:
    role = world.role(allow("dynamodb:ListTables"), trust=trust("sagemaker.amazonaws.com"))
    client = credentials.boto_client_as(role, "sagemaker.amazonaws.com", "dynamodb", JOB)
    client.list_tables()

    assert world.calls[-1].principal_arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/Worker/Sagemaker"


def test_a_service_that_is_not_trusted_is_refused(world: World) -> None:
    role = world.role(trust=trust("sagemaker.amazonaws.com"))

    with pytest.raises(
        AccessDeniedError, match=r"bedrock\.amazonaws\.com is not authorized to perform: sts:AssumeRole"
    ):
        credentials.for_role(role, "bedrock.amazonaws.com", "x")
    with pytest.raises(AccessDeniedError):
        credentials.for_role(f"arn:aws:iam::{ACCOUNT}:role/None", "sagemaker.amazonaws.com", "x")


@pytest.mark.parametrize(
    ("account", "source", "allowed"),
    [
        (ACCOUNT, JOB, True),
        (ACCOUNT, f"{JOB}-2", True),
        (ACCOUNT, RULE, False),
        ("999999999999", JOB, False),
        (ACCOUNT, None, False),
    ],
)
def test_trust_conditions_see_account_and_resource(
    world: World, account: str, source: str | None, allowed: bool
) -> None:
    condition = {"StringEquals": {"aws:SourceAccount": account}, "ArnLike": {"aws:SourceArn": f"{JOB}*"}}
    role = world.role(trust=trust("sagemaker.amazonaws.com", **condition))
    if allowed:
        assert credentials.for_role(role, "sagemaker.amazonaws.com", "x", source)[0].startswith("ASIA")
    else:
        with pytest.raises(AccessDeniedError):
            credentials.for_role(role, "sagemaker.amazonaws.com", "x", source)


def test_a_caller_may_assume_a_role_if_both_sides_agree(world: World) -> None:
    world.role(name="Worker")
    trusts_account = {"Effect": "Allow", "Principal": ROOT, "Action": "sts:AssumeRole"}
    target = world.role(allow("dynamodb:ListTables"), name="Target", trust=trusts_account)
    sts = world.act("sts")
    assert refused(sts.assume_role, RoleArn=target, RoleSessionName="ci")[0] == "AccessDenied"
    world.grant(allow("sts:AssumeRole", target))
    keys = sts.assume_role(RoleArn=target, RoleSessionName="ci")["Credentials"]
    session = (keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    client_as(world.state, "dynamodb", session).list_tables()

    assert world.calls[-1].principal_arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/Target/ci"
    assert client_as(world.state, "sts", session).get_caller_identity()["Arn"].endswith("assumed-role/Target/ci")


def test_a_trust_policy_that_names_the_role_is_enough(world: World) -> None:
    worker = world.role(name="Worker")
    names_worker = {"Effect": "Allow", "Principal": {"AWS": worker}, "Action": "sts:AssumeRole"}
    other = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    target = world.role(name="Target", trust=names_worker)
    closed = world.role(name="Closed", trust=other)
    sts = world.act("sts")

    assert sts.assume_role(RoleArn=target, RoleSessionName="ci")["AssumedRoleUser"]["Arn"].endswith("Target/ci")
    world.grant(allow("sts:AssumeRole"))
    assert refused(sts.assume_role, RoleArn=closed, RoleSessionName="ci")[0] == "AccessDenied"


def test_a_session_with_a_policy_of_its_own_is_refused(world: World) -> None:
    world.role(allow("sts:AssumeRole"), name="Worker")
    target = world.role(
        allow("*"), name="Target", trust={"Effect": "Allow", "Principal": ROOT, "Action": "sts:AssumeRole"}
    )
    narrowed = document(allow("s3:*"))
    keys = world.act("sts").assume_role(RoleArn=target, RoleSessionName="ci", Policy=narrowed)["Credentials"]
    session = (keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])

    assert refused(client_as(world.state, "dynamodb", session).list_tables)[0] == "EmulatorCannotEvaluate"


def function(world: World) -> str:
    import io
    import zipfile

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", "def handler(event, context): return event")
    role = world.role(name="Function")
    made = world.client("lambda").create_function(
        FunctionName="complete",
        Runtime="python3.13",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": archive.getvalue()},
        Publish=True,
    )
    return str(made["FunctionArn"])


def test_events_reach_a_function_that_permits_the_rule(world: World) -> None:
    arn = function(world)
    with pytest.raises(AccessDeniedError, match="lambda:InvokeFunction"):
        check_resource_policy_delivery("events.amazonaws.com", arn, RULE)
    name = arn.split(":function:")[1].split(":")[0]
    world.client("lambda").add_permission(
        FunctionName=name,
        StatementId="Rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=RULE,
    )
    unqualified = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    check_resource_policy_delivery("events.amazonaws.com", unqualified, RULE)

    with pytest.raises(AccessDeniedError):
        check_resource_policy_delivery("events.amazonaws.com", unqualified, f"{RULE}-other")
    with pytest.raises(AccessDeniedError):
        check_resource_policy_delivery("s3.amazonaws.com", unqualified, RULE)
    assert world.calls[-1].principal_arn == "s3.amazonaws.com"


def test_events_reach_a_queue_and_its_key(world: World) -> None:
    key = world.key({"Effect": "Allow", "Principal": ROOT, "Action": "kms:*", "Resource": "*"})
    sqs = world.client("sqs")
    url = sqs.create_queue(QueueName="dead", Attributes={"KmsMasterKeyId": key})["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"
    with pytest.raises(AccessDeniedError, match="sqs:SendMessage"):
        check_resource_policy_delivery("events.amazonaws.com", arn, RULE)
    lets_in = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": RULE}},
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(lets_in)})
    with pytest.raises(AccessDeniedError, match="kms:GenerateDataKey"):
        check_resource_policy_delivery("events.amazonaws.com", arn, RULE)
    service_use = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "kms:*",
        "Resource": "*",
    }
    world.client("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=document(service_use))

    check_resource_policy_delivery("events.amazonaws.com", arn, RULE)


def test_a_topics_default_policy_lets_no_role_of_the_account_in(world: World) -> None:
    topic = world.client("sns").create_topic(Name="alerts")["TopicArn"]
    world.role()
    client = world.act("sns")

    assert refused(client.publish, TopicArn=topic, Message="m")[0] == "AuthorizationError"
    world.grant(allow("sns:Publish", topic))
    assert client.publish(TopicArn=topic, Message="m")["MessageId"]


def test_a_document_put_on_a_resource_counts(world: World) -> None:
    topic = world.client("sns").create_topic(Name="alerts")["TopicArn"]
    lets_in = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
    }
    current().resource_policies.put(topic, json.loads(document(lets_in)))
    check_resource_policy_delivery("cloudwatch.amazonaws.com", topic, RULE)
    current().resource_policies.remove(topic)

    with pytest.raises(AccessDeniedError):
        check_resource_policy_delivery("other.amazonaws.com", topic, RULE)


def test_a_target_without_resource_policies_is_an_error(world: World) -> None:
    with pytest.raises(EvaluationError, match="no resource policy lets"):
        check_resource_policy_delivery(
            "events.amazonaws.com", f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:m", RULE
        )


def test_simulation_answers_as_the_guard_decides(world: World) -> None:
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/jobs"
    role = world.role(
        allow("dynamodb:GetItem", table),
        {"Effect": "Deny", "Action": "dynamodb:DeleteItem", "Resource": "*"},
        allow("bedrock:CreateCustomModel", Condition={"StringEquals": {"aws:RequestTag/team": "nova"}}),
    )
    answer = world.client("iam").simulate_principal_policy(
        PolicySourceArn=role,
        ActionNames=["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"],
        ResourceArns=[table],
    )
    tagged = world.client("iam").simulate_principal_policy(
        PolicySourceArn=role,
        ActionNames=["bedrock:CreateCustomModel"],
        ContextEntries=[
            {"ContextKeyName": "aws:RequestTag/team", "ContextKeyValues": ["nova"], "ContextKeyType": "string"}
        ],
    )

    assert [(each["EvalActionName"], each["EvalDecision"]) for each in answer["EvaluationResults"]] == [
        ("dynamodb:GetItem", "allowed"),
        ("dynamodb:PutItem", "implicitDeny"),
        ("dynamodb:DeleteItem", "explicitDeny"),
    ]
    assert answer["EvaluationResults"][0]["MatchedStatements"][0]["SourcePolicyId"] == "Granted"
    assert tagged["EvaluationResults"][0]["EvalDecision"] == "allowed"


def test_simulation_of_nobody_is_refused(world: World) -> None:
    iam = world.client("iam")

    code = refused(
        iam.simulate_principal_policy, PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:role/None", ActionNames=["s3:GetObject"]
    )[0]
    assert code == "NoSuchEntity"


def test_there_is_no_iam_without_an_emulator(world: World) -> None:
    from nova_constructs.emulator.iam import engine

    running = engine._running.copy()
    engine._running.clear()
    try:
        with pytest.raises(RuntimeError, match="no emulator is running"):
            engine.current()
    finally:
        engine._running.extend(running)
