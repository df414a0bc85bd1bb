"""The dataset of a run is pinned to one version and known by its content."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lambda_handlers.datasets.passes.manifest import ReadObject
from lambda_handlers.planning import dataset
from lambda_handlers.planning.dataset import MOST_BYTES, MOST_OBJECTS, PinnedDataset
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


def pin(s3: Any, uri: str, version_id: str | None) -> PinnedDataset:
    return dataset.pin(s3, dataset.locate(s3, uri, version_id))


def put(s3: Any, data: bytes) -> str:
    return str(s3.put_object(Bucket=BUCKET, Key="datasets/a b.jsonl", Body=data)["VersionId"])


def test_the_newest_version_is_pinned_when_none_is_given(s3: Any) -> None:
    put(s3, b"old")
    version = put(s3, b"new")
    facts: Any = {"version_id": version, "sha256": hashlib.sha256(b"new").hexdigest(), "bytes": 3}
    assert pin(s3, URI, None) == PinnedDataset(uri=URI, **facts, objects=(ReadObject(uri=URI, **facts),))


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
        pin(Large(), "s3://bucket/huge.csv", None)
    with pytest.raises(AttributeError, match="get_object"):  # read, since lines can be shared among functions
        pin(Large(), "s3://bucket/huge.jsonl", None)


def put_at(s3: Any, key: str, data: bytes) -> str:
    return str(s3.put_object(Bucket=BUCKET, Key=key, Body=data)["VersionId"])


def test_a_folder_is_pinned_object_by_object_in_the_order_of_keys(s3: Any) -> None:
    second, first = put_at(s3, "datasets/new/b.jsonl", b"22"), put_at(s3, "datasets/new/a.jsonl", b"1")
    for other in ("datasets/new/", "datasets/new/_SUCCESS", "datasets/new/.x", "datasets/new/deep/c.jsonl"):
        put_at(s3, other, b"x")
    found = pin(s3, f"s3://{BUCKET}/datasets/new/", None)
    hashes = [hashlib.sha256(data).hexdigest() for data in (b"1", b"22")]
    assert [(each.uri.rsplit("/")[-1], each.version_id, each.sha256, each.bytes) for each in found.objects] == [
        ("a.jsonl", first, hashes[0], 1),
        ("b.jsonl", second, hashes[1], 2),
    ]
    assert (found.bytes, found.version_id) == (3, None)
    assert found.sha256 == hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def test_a_folder_is_known_by_its_content_and_not_by_versions(s3: Any) -> None:
    put_at(s3, "datasets/new/a.jsonl", b"1")
    before = pin(s3, f"s3://{BUCKET}/datasets/new/", None).sha256
    put_at(s3, "datasets/new/a.jsonl", b"1")
    assert pin(s3, f"s3://{BUCKET}/datasets/new/", None).sha256 == before
    put_at(s3, "datasets/new/b.jsonl", b"1")
    assert pin(s3, f"s3://{BUCKET}/datasets/new/", None).sha256 != before


def test_an_empty_folder_is_refused(s3: Any) -> None:
    put_at(s3, "datasets/new/_SUCCESS", b"x")
    with pytest.raises(InvalidRequest, match=r"datasets/new/ cannot be read: nothing is there"):
        pin(s3, f"s3://{BUCKET}/datasets/new/", None)


def test_a_folder_with_a_version_is_refused(s3: Any) -> None:
    with pytest.raises(InvalidRequest, match="leave version_id out"):
        pin(s3, f"s3://{BUCKET}/datasets/new/", "v1")


@pytest.mark.parametrize(("objects", "size", "words"), [(MOST_OBJECTS + 1, 1, "251 objects"), (3, 2**34, "48.0 GiB")])
def test_a_folder_too_large_is_refused_before_it_is_read(objects: int, size: int, words: str) -> None:
    class Large:
        def get_paginator(self, _: str) -> Any:
            return self

        def paginate(self, **_: object) -> Any:
            return [{"Contents": [{"Key": f"new/{n}.jsonl"} for n in range(objects)]}]

        def head_object(self, **_: object) -> dict[str, object]:
            return {"ContentLength": size, "ETag": "e"}

    with pytest.raises(InvalidRequest, match=words):
        pin(Large(), "s3://bucket/new/", None)


def test_a_dataset_whose_name_tells_no_format_is_refused(s3: Any) -> None:
    put_at(s3, "datasets/readme.txt", b"x")
    with pytest.raises(InvalidRequest, match=r"readme.txt has no name that tells its format; allowed: .*\.jsonl"):
        pin(s3, f"s3://{BUCKET}/datasets/readme.txt", None)


LIST = f"s3://{BUCKET}/starts/1/objects.json"


def listed(s3: Any, *entries: Any) -> PinnedDataset:
    put_at(s3, "starts/1/objects.json", json.dumps(entries).encode())
    return dataset.pin(s3, dataset.locate_listed(s3, LIST))


def test_a_list_is_pinned_object_by_object_in_its_versions(s3: Any) -> None:
    old = put_at(s3, "datasets/b.jsonl", b"old")
    put_at(s3, "datasets/b.jsonl", b"new")
    newest = put_at(s3, "datasets/other/a.jsonl", b"1")
    a, b = f"s3://{BUCKET}/datasets/other/a.jsonl", f"s3://{BUCKET}/datasets/b.jsonl"
    found = listed(s3, {"uri": a}, {"uri": b, "version_id": old})
    assert [(each.uri, each.version_id) for each in found.objects] == [(b, old), (a, newest)]
    hashes = [hashlib.sha256(data).hexdigest() for data in (b"old", b"1")]
    assert found.sha256 == hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    assert (found.uri, found.bytes) == (LIST, 4)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([], r"The list s3://.*objects.json is empty"),
        ([{"uri": URI}, {"uri": URI, "version_id": "v"}], "names an object twice"),
        ([{"uri": f"s3://{BUCKET}/a.jsonl"}, {"uri": f"s3://{BUCKET}/a.csv"}], "several kinds, a.csv and a.jsonl"),
        ([{"uri": f"s3://{BUCKET}/photo.png"}], "photo.png has no name that tells its format"),
        ([{"uri": f"s3://{BUCKET}/{n}.jsonl"} for n in range(251)], "has 251 objects; at most 250 can be prepared"),
        ([{"uri": f"s3://{BUCKET}/gone.jsonl"}], "gone.jsonl cannot be read: it does not exist"),
        ([{"address": "x"}], "has to be a JSON list"),
        (["x"], "has to be a JSON list"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_in_words(s3: Any, entries: list[Any], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        listed(s3, *entries)


def test_a_list_that_is_not_there_is_named(s3: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"The list of objects {LIST} cannot be read: it does not exist"):
        dataset.locate_listed(s3, LIST)


def test_a_list_of_too_many_bytes_is_refused() -> None:
    class Large:
        def get_object(self, **_: object) -> dict[str, Any]:
            uris = [{"uri": f"s3://b/{n}.jsonl", "version_id": "v"} for n in range(3)]
            return {"Body": io.BytesIO(json.dumps(uris).encode())}

        def head_object(self, **_: object) -> dict[str, object]:
            return {"ContentLength": 2**34}

    with pytest.raises(InvalidRequest, match=r"objects.json has 48.0 GiB; at most 32 GiB"):
        dataset.locate_listed(Large(), LIST)
