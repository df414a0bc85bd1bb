"""Which permissions a request to Amazon S3 needs."""

from __future__ import annotations

import pytest

from nova_constructs.emulator.iam.actions import ApiCall, Encryption, Need, S3Request, s3_needs
from nova_constructs.emulator.iam.errors import UnknownOperationError
from tests.emulator.iam_support import KEY_ARN, FixedFacts, api_call, pairs

BUCKET = Encryption(key_arn=KEY_ARN, bucket_key=True)
PLAIN = Encryption(key_arn=KEY_ARN)
OBJECT = "arn:aws:s3:::data/in/train.jsonl"


def s3(
    method: str, *, key: str = "in/train.jsonl", facts: FixedFacts | None = None, body: bytes = b"", **query: str
) -> list[Need]:
    headers = {name[2:].replace("_", "-"): query.pop(name) for name in list(query) if name.startswith("h_")}
    call: ApiCall = api_call("s3", method, facts)
    return s3_needs(
        S3Request(call=call, method=method, bucket="data", key=key, query=query, headers=headers, body=body)
    )


@pytest.mark.parametrize(
    ("method", "query", "expected"),
    [
        ("GET", {}, ["s3:GetObject"]),
        ("GET", {"versionId": "v"}, ["s3:GetObjectVersion"]),
        ("HEAD", {}, ["s3:GetObject"]),
        ("HEAD", {"versionId": "v"}, ["s3:GetObjectVersion"]),
        ("GET", {"tagging": ""}, ["s3:GetObjectTagging"]),
        ("GET", {"tagging": "", "versionId": "v"}, ["s3:GetObjectVersionTagging"]),
        ("GET", {"attributes": ""}, ["s3:GetObject", "s3:GetObjectAttributes"]),
        ("GET", {"uploadId": "u"}, ["s3:ListMultipartUploadParts"]),
        ("PUT", {}, ["s3:PutObject"]),
        ("PUT", {"h_x_amz_tagging": "a=b"}, ["s3:PutObject", "s3:PutObjectTagging"]),
        ("PUT", {"partNumber": "1", "uploadId": "u"}, ["s3:PutObject"]),
        ("PUT", {"tagging": ""}, ["s3:PutObjectTagging"]),
        ("POST", {"uploads": ""}, ["s3:PutObject"]),
        ("POST", {"uploadId": "u"}, ["s3:PutObject"]),
        ("DELETE", {"uploadId": "u"}, ["s3:AbortMultipartUpload"]),
        ("DELETE", {}, ["s3:DeleteObject"]),
        ("DELETE", {"versionId": "v"}, ["s3:DeleteObjectVersion"]),
    ],
)
def test_s3_object_requests(method: str, query: dict[str, str], expected: list[str]) -> None:
    found = s3(method, **query)

    assert [need.action for need in found] == expected
    assert {need.resource for need in found} == {OBJECT}


@pytest.mark.parametrize(
    ("method", "query", "expected"),
    [
        ("GET", {"list-type": "2", "prefix": "in/"}, "s3:ListBucket"),
        ("HEAD", {}, "s3:ListBucket"),
        ("GET", {"versions": ""}, "s3:ListBucketVersions"),
        ("GET", {"uploads": ""}, "s3:ListBucketMultipartUploads"),
        ("GET", {"location": ""}, "s3:GetBucketLocation"),
    ],
)
def test_s3_bucket_requests(method: str, query: dict[str, str], expected: str) -> None:
    found = s3(method, key="", **query)

    assert pairs(found) == [(expected, "arn:aws:s3:::data")]
    assert found[0].context["s3:prefix"] == query.get("prefix")


@pytest.mark.parametrize(
    ("method", "query"),
    [("PUT", {"renameObject": ""}), ("POST", {"restore": ""}), ("PATCH", {}), ("GET", {"torrent": ""})],
)
def test_an_s3_request_without_a_row_is_an_error(method: str, query: dict[str, str]) -> None:
    with pytest.raises(UnknownOperationError):
        s3(method, **query)


def test_reading_an_absent_object_needs_list_bucket() -> None:
    facts = FixedFacts(missing={"data/in/train.jsonl"})

    assert pairs(s3("HEAD", facts=facts)) == [("s3:GetObject", OBJECT), ("s3:ListBucket", "arn:aws:s3:::data")]


def test_encrypted_objects_need_the_key() -> None:
    facts = FixedFacts(buckets={"data": BUCKET}, objects={"data/in/train.jsonl": PLAIN})
    write, read = s3("PUT", facts=facts), s3("GET", facts=facts)

    assert pairs(write) == [("s3:PutObject", OBJECT), ("kms:GenerateDataKey", KEY_ARN)]
    assert write[1].context["kms:EncryptionContext:aws:s3:arn"] == "arn:aws:s3:::data"
    assert write[1].context["kms:ViaService"] == "s3.us-east-1.amazonaws.com"
    assert pairs(read) == [("s3:GetObject", OBJECT), ("kms:Decrypt", KEY_ARN)]
    assert read[1].context["kms:EncryptionContext:aws:s3:arn"] == OBJECT
    assert [need.action for need in s3("HEAD", facts=facts)] == ["s3:GetObject"]


@pytest.mark.parametrize(
    ("method", "query"),
    [("POST", {"uploads": ""}), ("PUT", {"uploadId": "u", "partNumber": "1"}), ("POST", {"uploadId": "u"})],
)
def test_multipart_uploads_need_to_write_and_read_with_the_key(method: str, query: dict[str, str]) -> None:
    found = s3(method, facts=FixedFacts(buckets={"data": BUCKET}), **query)

    assert [need.action for need in found] == ["s3:PutObject", "kms:GenerateDataKey", "kms:Decrypt"]


def test_the_encryption_that_a_request_asks_for_counts() -> None:
    facts = FixedFacts(buckets={"data": BUCKET})

    assert [need.action for need in s3("PUT", facts=facts, h_x_amz_server_side_encryption="AES256")] == ["s3:PutObject"]
    asked = {"h_x_amz_server_side_encryption": "aws:kms", "h_x_amz_server_side_encryption_aws_kms_key_id": KEY_ARN}
    assert [need.action for need in s3("PUT", **asked)] == ["s3:PutObject", "kms:GenerateDataKey"]


def test_a_copy_reads_its_source() -> None:
    facts = FixedFacts(buckets={"data": BUCKET}, objects={"source/a b": PLAIN})
    found = s3("PUT", facts=facts, h_x_amz_copy_source="/source/a%20b?versionId=v1")

    assert pairs(found) == [
        ("s3:GetObjectVersion", "arn:aws:s3:::source/a b"),
        ("kms:Decrypt", KEY_ARN),
        ("s3:PutObject", OBJECT),
        ("kms:GenerateDataKey", KEY_ARN),
    ]


def test_deleting_many_checks_each_key() -> None:
    body = (
        b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key></Object>'
        b"<Object><Key>b</Key><VersionId>v</VersionId></Object></Delete>"
    )

    assert pairs(s3("POST", key="", body=body, delete="")) == [
        ("s3:DeleteObject", "arn:aws:s3:::data/a"),
        ("s3:DeleteObjectVersion", "arn:aws:s3:::data/b"),
    ]
