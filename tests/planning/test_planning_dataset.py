"""The dataset of a run is pinned to one version and known by its content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lambda_handlers.planning.dataset import MOST_BYTES, PinnedDataset, pin
from lambda_handlers.protocol.errors import InvalidRequest, TransientServiceError

BUCKET = "incoming-bucket"
URI = f"s3://{BUCKET}/datasets/a b.jsonl"


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield client


def put(s3: Any, data: bytes) -> str:
    return str(s3.put_object(Bucket=BUCKET, Key="datasets/a b.jsonl", Body=data)["VersionId"])


def test_the_newest_version_is_pinned_when_none_is_given(s3: Any) -> None:
    put(s3, b"old")
    version = put(s3, b"new")
    assert pin(s3, URI, None) == PinnedDataset(
        uri=URI,
        bucket=BUCKET,
        key="datasets/a b.jsonl",
        version_id=version,
        sha256=hashlib.sha256(b"new").hexdigest(),
        bytes=3,
    )


def test_the_given_version_is_pinned_whatever_came_later(s3: Any) -> None:
    version = put(s3, b"old")
    put(s3, b"new")
    assert pin(s3, URI, version).sha256 == hashlib.sha256(b"old").hexdigest()


def test_a_missing_object_is_named(s3: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"The dataset s3://incoming-bucket/no.jsonl cannot be read: it does not"):
        pin(s3, f"s3://{BUCKET}/no.jsonl", None)


def test_a_missing_version_is_named(s3: Any) -> None:
    version = put(s3, b"x")
    s3.delete_object(Bucket=BUCKET, Key="datasets/a b.jsonl", VersionId=version)
    put(s3, b"y")
    with pytest.raises(InvalidRequest, match=rf"\(version {version}\) cannot be read"):
        pin(s3, URI, version)


def test_an_empty_object_is_refused(s3: Any) -> None:
    put(s3, b"")
    with pytest.raises(InvalidRequest, match=r"a b.jsonl is empty \(0 bytes\)"):
        pin(s3, URI, None)


class Refusing:
    def __init__(self, code: str, status: int) -> None:
        self.answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}

    def head_object(self, **request: Any) -> Any:
        raise ClientError(self.answer, "HeadObject")


@pytest.mark.parametrize(("code", "words"), [("403", "access is denied"), ("405", "the version is a delete marker")])
def test_an_unreadable_object_is_refused_with_the_reason(code: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        pin(Refusing(code, int(code)), URI, None)


def test_a_fault_of_the_service_is_not_blamed_on_the_dataset() -> None:
    with pytest.raises(TransientServiceError):
        pin(Refusing("503", 503), URI, None)


def test_a_dataset_too_large_for_one_function_is_refused_before_it_is_read() -> None:
    class Large:
        def head_object(self, **_: object) -> dict[str, object]:
            return {"ContentLength": MOST_BYTES + 2**30, "VersionId": "v1"}

    with pytest.raises(InvalidRequest, match=r"has 9\.0 GiB; at most 8 GiB can be prepared: split it"):
        pin(Large(), "s3://bucket/huge.jsonl", None)
