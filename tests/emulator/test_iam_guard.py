"""The guard in front of a real server: who may call what, and how a refusal looks."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from typing import Any

import pytest
from moto.core.base_backend import BackendDict

from nova_constructs.emulator.aws import client_as
from nova_constructs.emulator.iam import credentials
from nova_constructs.emulator.iam.actions import ApiCall, needs
from nova_constructs.emulator.iam.engine import current
from nova_constructs.emulator.iam.principals import role_session
from tests.emulator import iam_world
from tests.emulator.iam_support import ACCOUNT, REGION
from tests.emulator.iam_world import World, allow, refused

EXECUTION = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:nova:run-1"
WORKER = f"arn:aws:sts::{ACCOUNT}:assumed-role/Worker/session"


@pytest.fixture(scope="module")
def server() -> Iterator[World]:
    with iam_world.running() as world:
        yield world


@pytest.fixture
def world(server: World) -> World:
    BackendDict.reset()
    server.state.reset()
    return server


def table(world: World, name: str = "jobs") -> str:
    world.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "run_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "run_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


def test_the_operator_may_do_everything_and_is_not_recorded(world: World) -> None:
    table(world)

    assert world.client("dynamodb").list_tables()["TableNames"] == ["jobs"]
    assert len(world.calls) == 0


def test_a_role_may_do_what_its_policy_allows(world: World) -> None:
    arn = table(world)
    role = world.role(allow("dynamodb:PutItem", arn, sid="WriteJobs"))
    world.act("dynamodb").put_item(TableName="jobs", Item={"run_id": {"S": "r1"}})
    call = world.calls[-1]

    assert (call.principal_arn, call.role_name) == (WORKER, "Worker")
    assert (call.action, call.resource, call.decision) == ("dynamodb:PutItem", arn, "allowed")
    assert call.statement == ("Granted", "WriteJobs")
    assert role.endswith("role/Worker")
    assert world.calls.used() == {("Worker", "WriteJobs", "dynamodb:PutItem")}


def test_a_refusal_says_what_aws_says_and_has_no_effect(world: World) -> None:
    arn = table(world)
    world.role(allow("dynamodb:GetItem", arn))
    client = world.act("dynamodb")
    code, message, status = refused(client.put_item, TableName="jobs", Item={"run_id": {"S": "r1"}})

    assert (code, status) == ("AccessDeniedException", 400)
    assert message == (
        f"User: {WORKER} is not authorized to perform: dynamodb:PutItem on resource: {arn} "
        "because no identity-based policy allows the dynamodb:PutItem action"
    )
    assert world.client("dynamodb").scan(TableName="jobs")["Count"] == 0
    assert [call.action for call in world.calls.denied()] == ["dynamodb:PutItem"]


@pytest.mark.parametrize(
    ("service", "operation", "params", "code", "status"),
    [
        ("dynamodb", "describe_table", {"TableName": "jobs"}, "AccessDeniedException", 400),
        ("stepfunctions", "describe_execution", {"executionArn": EXECUTION}, "AccessDeniedException", 400),
        ("lambda", "invoke", {"FunctionName": "plan"}, "AccessDeniedException", 403),
        ("bedrock", "list_custom_models", {}, "AccessDeniedException", 403),
        ("scheduler", "get_schedule", {"Name": "s"}, "AccessDeniedException", 403),
        (
            "sns",
            "publish",
            {"TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:t", "Message": "m"},
            "AuthorizationError",
            403,
        ),
        ("sqs", "purge_queue", {"QueueUrl": f"http://localhost/{ACCOUNT}/q"}, "AccessDenied", 400),
        ("iam", "get_role", {"RoleName": "Worker"}, "AccessDenied", 403),
        ("cloudwatch", "put_metric_data", {"Namespace": "n", "MetricData": []}, "AccessDeniedException", None),
        ("logs", "describe_log_groups", {}, "AccessDeniedException", 400),
        ("ssm", "get_parameter", {"Name": "p"}, "AccessDeniedException", 400),
        ("events", "list_rules", {}, "AccessDeniedException", 400),
        ("sagemaker", "list_training_jobs", {}, "AccessDeniedException", 400),
        ("ecr", "get_authorization_token", {}, "AccessDeniedException", 400),
        ("s3", "list_objects_v2", {"Bucket": "data"}, "AccessDenied", 403),
        ("s3", "put_object", {"Bucket": "data", "Key": "k", "Body": b""}, "AccessDenied", 403),
    ],
)
def test_each_protocol_has_its_own_refusal(
    world: World, service: str, operation: str, params: dict[str, Any], code: str, status: int | None
) -> None:
    world.bucket("data")
    world.role()
    found = refused(getattr(world.act(service), operation), **params)

    assert found[0] == code
    assert "no identity-based policy allows the" in found[1]
    assert status is None or found[2] == status


def test_a_changed_policy_counts_at_once(world: World) -> None:
    table(world)
    world.role()
    client = world.act("dynamodb")
    assert refused(client.describe_table, TableName="jobs")[0] == "AccessDeniedException"
    world.grant(allow("dynamodb:DescribeTable"))
    assert client.describe_table(TableName="jobs")["Table"]["TableName"] == "jobs"
    world.grant(allow("dynamodb:*"), {"Effect": "Deny", "Action": "dynamodb:Describe*", "Resource": "*", "Sid": "No"})

    assert "with an explicit deny in an identity-based policy" in refused(client.describe_table, TableName="jobs")[1]


def test_managed_policies_count(world: World) -> None:
    table(world)
    world.role()
    iam = world.client("iam")
    made = iam.create_policy(
        PolicyName="Readers", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allow("dynamodb:*")})
    )
    iam.attach_role_policy(RoleName="Worker", PolicyArn=made["Policy"]["Arn"])
    world.act("dynamodb").describe_table(TableName="jobs")

    assert world.calls[-1].statement == ("Readers", "")


def test_an_operation_that_the_table_lacks_fails_clearly(world: World) -> None:
    world.role(allow("*"))
    code, message, _ = refused(world.act("dynamodb").describe_limits)

    assert code == "EmulatorCannotEvaluate"
    assert message == "the emulator's IAM evaluator does not know dynamodb:DescribeLimits"
    assert world.calls[-1].decision == "error"


def test_a_policy_that_cannot_be_judged_fails_clearly(world: World) -> None:
    table(world)
    world.role(allow("dynamodb:*", Condition={"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}))
    code, message, _ = refused(world.act("dynamodb").describe_table, TableName="jobs")

    assert code == "EmulatorCannotEvaluate"
    assert "aws:PrincipalOrgID" in message


def test_unknown_access_keys_are_refused(world: World) -> None:
    stranger = ("AKIASTRANGER00000000", "secret", "")
    dynamodb = client_as(world.state, "dynamodb", stranger)
    s3 = client_as(world.state, "s3", stranger)
    sts = client_as(world.state, "sts", stranger)

    assert refused(dynamodb.list_tables)[:2] == (
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    )
    assert refused(s3.list_buckets)[0] == "InvalidAccessKeyId"
    assert refused(sts.get_caller_identity)[0] == "InvalidClientTokenId"


def test_a_session_token_must_belong_to_its_key(world: World) -> None:
    world.role(allow("dynamodb:ListTables"))
    access, secret, token = credentials.for_role(f"arn:aws:iam::{ACCOUNT}:role/Worker", "lambda.amazonaws.com", "s")
    right = client_as(world.state, "dynamodb", (access, secret, token))
    wrong = client_as(world.state, "dynamodb", (access, secret, "other"))

    assert right.list_tables()["TableNames"] == []
    assert refused(wrong.list_tables)[0] == "UnrecognizedClientException"


def test_a_session_sees_its_own_identity(world: World) -> None:
    world.role()

    assert world.act("sts").get_caller_identity()["Arn"] == WORKER


def test_a_role_with_a_boundary_is_refused_rather_than_trusted(world: World) -> None:
    iam = world.client("iam")
    boundary = iam.create_policy(
        PolicyName="Boundary", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allow("s3:*")})
    )["Policy"]["Arn"]
    world.role(allow("*"))
    iam.put_role_permissions_boundary(RoleName="Worker", PermissionsBoundary=boundary)

    assert refused(world.act("dynamodb").list_tables)[0] == "EmulatorCannotEvaluate"


def test_users_are_evaluated_too(world: World) -> None:
    iam = world.client("iam")
    iam.create_user(UserName="ana")
    keys = iam.create_access_key(UserName="ana")["AccessKey"]
    dynamodb = client_as(world.state, "dynamodb", (keys["AccessKeyId"], keys["SecretAccessKey"], ""))
    assert refused(dynamodb.list_tables)[0] == "AccessDeniedException"
    iam.put_user_policy(
        UserName="ana",
        PolicyName="List",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allow("dynamodb:ListTables")}),
    )

    assert dynamodb.list_tables()["TableNames"] == []
    assert world.calls[-1].principal_arn == f"arn:aws:iam::{ACCOUNT}:user/ana"


def test_a_check_takes_less_than_a_third_of_a_millisecond(world: World) -> None:
    arn = table(world)
    role = world.role(*[allow(f"s3:Get{n}", f"arn:aws:s3:::b{n}/*") for n in range(20)], allow("dynamodb:GetItem", arn))
    engine, principal = current(), role_session(role, "s")
    call = ApiCall(
        service="dynamodb",
        operation="GetItem",
        params={"TableName": "jobs", "Key": {"run_id": {"S": "a"}}},
        account=ACCOUNT,
        region=REGION,
        facts=engine.facts,
    )
    samples = []
    for _ in range(200):
        started = time.perf_counter()
        engine.authorizer.check(principal, needs(call), source="test")
        samples.append(time.perf_counter() - started)

    assert statistics.median(samples) < 0.0003
