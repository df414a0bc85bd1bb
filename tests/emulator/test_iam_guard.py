"""The guard in front of a real server: who may call what, and how a refusal looks."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from moto.core.base_backend import BackendDict

from nova_constructs.emulator.aws import client_as
from nova_constructs.emulator.iam import credentials
from nova_constructs.emulator.iam.actions import ApiCall, needs
from nova_constructs.emulator.iam.engine import current
from nova_constructs.emulator.iam.principals import role_session
from tests.emulator import iam_world
from tests.emulator.iam_support import ACCOUNT, REGION
from tests.emulator.iam_world import World, allow, refused

ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
KEY_DELEGATED = {"Effect": "Allow", "Principal": ROOT, "Action": "kms:*", "Resource": "*"}
TLS_ONLY = {
    "Effect": "Deny",
    "Principal": {"AWS": "*"},
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::data", "arn:aws:s3:::data/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
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


def test_bucket_policies_are_evaluated_with_their_conditions(world: World) -> None:
    s3 = world.bucket("data")
    world.bucket_policy("data", TLS_ONLY)
    s3.put_object(Bucket="data", Key="k", Body=b"x")
    world.role(allow("s3:*Object", "arn:aws:s3:::data/*"))
    client = world.act("s3")
    client.put_object(Bucket="data", Key="k", Body=b"y")

    assert client.get_object(Bucket="data", Key="k")["Body"].read() == b"y"
    world.bucket_policy("data", {**TLS_ONLY, "Condition": {"Bool": {"aws:SecureTransport": "true"}}})
    assert "explicit deny in a resource-based policy" in refused(client.get_object, Bucket="data", Key="k")[1]


def test_a_bucket_policy_may_let_one_role_in(world: World) -> None:
    world.bucket("data").put_object(Bucket="data", Key="k", Body=b"x")
    role = world.role()
    grant = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*"}
    world.bucket_policy("data", {**grant, "Condition": {"ArnEquals": {"aws:PrincipalArn": role}}})

    assert world.act("s3").get_object(Bucket="data", Key="k")["Body"].read() == b"x"
    assert world.calls.used() == set()


def test_an_audit_bucket_refuses_overwrites_by_policy(world: World) -> None:
    world.bucket("audit")
    world.bucket_policy(
        "audit",
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::audit/*",
            "Condition": {"Null": {"s3:if-none-match": "true"}},
        },
    )
    world.role(allow("s3:PutObject", "arn:aws:s3:::audit/*"))
    client = world.act("s3")
    client.put_object(Bucket="audit", Key="1.json", Body=b"{}", IfNoneMatch="*")

    assert refused(client.put_object, Bucket="audit", Key="2.json", Body=b"{}")[0] == "AccessDenied"


def test_an_absent_object_is_a_404_only_for_those_who_may_list(world: World) -> None:
    world.bucket("data")
    world.role(allow("s3:GetObject", "arn:aws:s3:::data/*"))
    client = world.act("s3")
    assert refused(client.get_object, Bucket="data", Key="none")[0] == "AccessDenied"
    assert refused(client.head_object, Bucket="data", Key="none")[0] == "403"
    world.grant(allow("s3:GetObject", "arn:aws:s3:::data/*"), allow("s3:ListBucket", "arn:aws:s3:::data"))

    assert refused(client.get_object, Bucket="data", Key="none")[0] == "NoSuchKey"
    assert refused(client.head_object, Bucket="data", Key="none")[0] == "404"


def test_listing_is_checked_with_its_prefix(world: World) -> None:
    world.bucket("data").put_object(Bucket="data", Key="in/a", Body=b"")
    world.role(allow("s3:ListBucket", "arn:aws:s3:::data", Condition={"StringLike": {"s3:prefix": "in/*"}}))
    client = world.act("s3")

    assert client.list_objects_v2(Bucket="data", Prefix="in/")["KeyCount"] == 1
    assert refused(client.list_objects_v2, Bucket="data")[0] == "AccessDenied"
    assert refused(client.list_objects_v2, Bucket="data", Prefix="out/")[0] == "AccessDenied"


def test_versions_need_their_own_action(world: World) -> None:
    s3 = world.bucket("data")
    s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket="data", Key="k", Body=b"1")["VersionId"]
    world.role(allow("s3:GetObject", "arn:aws:s3:::data/*"))
    client = world.act("s3")

    assert client.get_object(Bucket="data", Key="k")["Body"].read() == b"1"
    assert "s3:GetObjectVersion on" in refused(client.get_object, Bucket="data", Key="k", VersionId=version)[1]


def test_a_presigned_url_is_its_signer(world: World) -> None:
    world.bucket("data").put_object(Bucket="data", Key="k", Body=b"x")
    world.role(allow("s3:GetObject", "arn:aws:s3:::data/k"))
    client = world.act("s3")
    allowed = client.generate_presigned_url("get_object", Params={"Bucket": "data", "Key": "k"})
    denied = client.generate_presigned_url("get_object", Params={"Bucket": "data", "Key": "other"})

    assert requests.get(allowed, timeout=5).content == b"x"
    assert requests.get(denied, timeout=5).status_code == 403
    assert requests.get(f"{world.state.endpoint}/data/k", timeout=5).status_code == 403


def test_deleting_many_is_refused_key_by_key(world: World) -> None:
    world.bucket("data").put_object(Bucket="data", Key="k", Body=b"x")
    world.role()
    answer = world.act("s3").delete_objects(Bucket="data", Delete={"Objects": [{"Key": "k"}]})

    assert [error["Code"] for error in answer["Errors"]] == ["AccessDenied"]
    assert world.client("s3").list_objects_v2(Bucket="data")["KeyCount"] == 1


def test_multipart_uploads_are_checked_at_each_step(world: World) -> None:
    world.bucket("data", key_arn=world.key(KEY_DELEGATED))
    world.role(allow("s3:PutObject", "arn:aws:s3:::data/*"), allow("kms:GenerateDataKey"))
    client = world.act("s3")
    assert "kms:Decrypt" in refused(client.create_multipart_upload, Bucket="data", Key="k")[1]
    world.grant(allow("s3:PutObject", "arn:aws:s3:::data/*"), allow(["kms:GenerateDataKey", "kms:Decrypt"]))
    upload = client.create_multipart_upload(Bucket="data", Key="k")["UploadId"]
    part = client.upload_part(Bucket="data", Key="k", UploadId=upload, PartNumber=1, Body=b"x")
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    client.complete_multipart_upload(Bucket="data", Key="k", UploadId=upload, MultipartUpload={"Parts": parts})

    assert (
        "s3:AbortMultipartUpload" in refused(client.abort_multipart_upload, Bucket="data", Key="k", UploadId=upload)[1]
    )


def test_keys_are_used_through_the_service_only(world: World) -> None:
    key = world.key(KEY_DELEGATED)
    world.bucket("data", key_arn=key)
    via_s3 = {
        "StringEquals": {
            "kms:ViaService": f"s3.{REGION}.amazonaws.com",
            "kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::data",
        }
    }
    objects = allow("s3:*Object", "arn:aws:s3:::data/*")
    world.role(objects, allow(["kms:GenerateDataKey", "kms:Decrypt"], key, sid="Objects", Condition=via_s3))
    client = world.act("s3")
    client.put_object(Bucket="data", Key="k", Body=b"x")

    assert client.get_object(Bucket="data", Key="k")["Body"].read() == b"x"
    assert ("Worker", "Objects", "kms:Decrypt") in world.calls.used()
    direct = refused(world.act("kms").encrypt, KeyId=key, Plaintext=b"x")
    assert direct[0] == "AccessDeniedException"


def test_a_key_policy_must_agree(world: World) -> None:
    other = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/Admin"}
    key = world.key({"Effect": "Allow", "Principal": other, "Action": "kms:*", "Resource": "*"})
    world.bucket("data", key_arn=key)
    world.role(allow("*"))
    message = refused(world.act("s3").put_object, Bucket="data", Key="k", Body=b"x")[1]

    assert message.endswith("because no resource-based policy allows the kms:GenerateDataKey action")


def test_objects_keep_the_key_they_were_written_with(world: World) -> None:
    s3 = world.bucket("data")
    s3.put_object(Bucket="data", Key="plain", Body=b"x")
    world.bucket("other", key_arn=world.key(KEY_DELEGATED))
    s3.put_object(Bucket="other", Key="secret", Body=b"x")
    world.role(allow("s3:GetObject"))
    client = world.act("s3")

    assert client.get_object(Bucket="data", Key="plain")["Body"].read() == b"x"
    assert "kms:Decrypt" in refused(client.get_object, Bucket="other", Key="secret")[1]


def test_an_encrypted_table_needs_its_key(world: World) -> None:
    key = world.key(KEY_DELEGATED)
    world.client("dynamodb").create_table(
        TableName="jobs",
        KeySchema=[{"AttributeName": "run_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "run_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
    )
    world.role(allow("dynamodb:GetItem"))
    client = world.act("dynamodb")
    assert "kms:Decrypt" in refused(client.get_item, TableName="jobs", Key={"run_id": {"S": "a"}})[1]
    via = {"StringEquals": {"kms:ViaService": f"dynamodb.{REGION}.amazonaws.com"}}
    world.grant(allow("dynamodb:GetItem"), allow("kms:Decrypt", key, Condition=via))

    assert "Item" not in client.get_item(TableName="jobs", Key={"run_id": {"S": "a"}})


def test_leading_keys_limit_a_role_to_its_items(world: World) -> None:
    table(world)
    own = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["lock", "fingerprint#*"]}}
    world.role(allow("dynamodb:PutItem", Condition=own))
    client = world.act("dynamodb")
    client.put_item(TableName="jobs", Item={"run_id": {"S": "lock"}})

    assert refused(client.put_item, TableName="jobs", Item={"run_id": {"S": "pointer"}})[0] == "AccessDeniedException"


def test_buckets_that_aws_owns_need_the_callers_policy_only(world: World) -> None:
    world.bucket("customer-escrow-123-abc").put_object(Bucket="customer-escrow-123-abc", Key="k", Body=b"x")
    world.role()
    client = world.act("s3")
    assert refused(client.get_object, Bucket="customer-escrow-123-abc", Key="k")[0] == "AccessDenied"
    world.grant(allow("s3:GetObject", "arn:aws:s3:::customer-escrow-*/*"))

    assert client.get_object(Bucket="customer-escrow-123-abc", Key="k")["Body"].read() == b"x"


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
