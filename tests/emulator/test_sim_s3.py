"""Amazon S3 as the workflow relies on it: preconditions, versions, and ETags under KMS that are not digests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator import sim_support as support

_PART = b"x" * (5 * 1024 * 1024)


@pytest.fixture
def s3() -> Iterator[Any]:
    with support.running() as world:
        client = world.client("s3")
        for name in ("plain", "secret"):
            client.create_bucket(Bucket=name)
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "arn:aws:kms:us-east-1:123456789012:key/k"}
        rules = [{"ApplyServerSideEncryptionByDefault": rule}]
        client.put_bucket_encryption(Bucket="secret", ServerSideEncryptionConfiguration={"Rules": rules})
        yield client


def put(s3: Any, bucket: str, key: str = "k", body: bytes = b"body") -> dict[str, Any]:
    return dict(s3.put_object(Bucket=bucket, Key=key, Body=body))


def code_of(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value.response["Error"]["Code"])


def test_an_etag_is_the_digest_only_without_kms(s3: Any) -> None:
    digest = hashlib.md5(b"body").hexdigest()
    assert put(s3, "plain")["ETag"] == f'"{digest}"'
    first, second = put(s3, "secret")["ETag"], put(s3, "secret")["ETag"]
    assert len({first, second, f'"{digest}"'}) == 3
    assert len(first) == len(second) == 34


def test_an_etag_under_kms_is_the_same_in_every_answer(s3: Any) -> None:
    etag = put(s3, "secret")["ETag"]
    assert s3.head_object(Bucket="secret", Key="k")["ETag"] == etag
    assert s3.get_object(Bucket="secret", Key="k", IfMatch=etag)["ETag"] == etag
    assert s3.list_objects_v2(Bucket="secret")["Contents"][0]["ETag"] == etag
    assert s3.put_object(Bucket="secret", Key="k", Body=b"next", IfMatch=etag)["ETag"] != etag


def test_versioned_buckets_name_each_version(s3: Any) -> None:
    first, second = put(s3, "secret", body=b"1"), put(s3, "secret", body=b"2")
    assert first["VersionId"] != second["VersionId"]
    read = s3.get_object(Bucket="secret", Key="k", VersionId=first["VersionId"])
    assert (read["Body"].read(), read["ETag"]) == (b"1", first["ETag"])


def test_an_object_is_not_written_over_when_none_may_exist(s3: Any) -> None:
    s3.put_object(Bucket="secret", Key="once", Body=b"1", IfNoneMatch="*")
    assert code_of(s3.put_object, Bucket="secret", Key="once", Body=b"2", IfNoneMatch="*") == "PreconditionFailed"
    assert s3.get_object(Bucket="secret", Key="once")["Body"].read() == b"1"


def test_a_copy_happens_only_of_the_expected_source(s3: Any) -> None:
    etag = put(s3, "secret")["ETag"]
    copy = {"Bucket": "plain", "Key": "copy", "CopySource": {"Bucket": "secret", "Key": "k"}}
    wrong = '"00000000000000000000000000000000"'
    assert code_of(s3.copy_object, **copy, CopySourceIfMatch=wrong) == "PreconditionFailed"
    assert code_of(s3.copy_object, **copy, CopySourceIfNoneMatch=etag) == "PreconditionFailed"
    assert "Contents" not in s3.list_objects_v2(Bucket="plain")
    s3.copy_object(**copy, CopySourceIfMatch=etag)
    assert s3.get_object(Bucket="plain", Key="copy")["Body"].read() == b"body"


def test_the_precondition_looks_at_the_version_copied(s3: Any) -> None:
    first = put(s3, "secret", body=b"1")
    put(s3, "secret", body=b"2")
    source = {"Bucket": "secret", "Key": "k", "VersionId": first["VersionId"]}
    copied = s3.copy_object(Bucket="plain", Key="copy", CopySource=source, CopySourceIfMatch=first["ETag"])
    assert copied["CopySourceVersionId"] == first["VersionId"]


def test_parts_are_copied_only_of_the_expected_source_and_assembled(s3: Any) -> None:
    etag = put(s3, "secret", body=_PART)["ETag"]
    upload = s3.create_multipart_upload(Bucket="secret", Key="whole")["UploadId"]
    target = {"Bucket": "secret", "Key": "whole", "UploadId": upload, "CopySource": {"Bucket": "secret", "Key": "k"}}
    wrong = '"00000000000000000000000000000000"'
    assert code_of(s3.upload_part_copy, **target, PartNumber=1, CopySourceIfMatch=wrong) == "PreconditionFailed"
    part = s3.upload_part_copy(**target, PartNumber=1, CopySourceIfMatch=etag)["CopyPartResult"]["ETag"]
    last = s3.upload_part(Bucket="secret", Key="whole", UploadId=upload, PartNumber=2, Body=b"end")["ETag"]
    parts = [{"PartNumber": 1, "ETag": part}, {"PartNumber": 2, "ETag": last}]
    done = s3.complete_multipart_upload(Bucket="secret", Key="whole", UploadId=upload, MultipartUpload={"Parts": parts})
    assert done["ETag"].strip('"').endswith("-2")
    assert s3.head_object(Bucket="secret", Key="whole")["ETag"] == done["ETag"]
    assert s3.get_object(Bucket="secret", Key="whole")["Body"].read() == _PART + b"end"


def test_a_missing_source_is_still_missing(s3: Any) -> None:
    source = {"Bucket": "secret", "Key": "nothing"}
    code = code_of(s3.copy_object, Bucket="plain", Key="c", CopySource=source, CopySourceIfMatch='"x"')
    assert code == "NoSuchKey"
