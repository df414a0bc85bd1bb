"""The guard on data: bucket policies, object versions, uploads, encryption keys, items of tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from moto.core.base_backend import BackendDict

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
