"""One object of many: the same bytes, by copies where S3 allows them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lambda_handlers.datasets.stage import joining
from lambda_handlers.datasets.stage.joining import LEAST_PART, StoredObject, join

BUCKET = "prepared-bucket"
MIB = 1024 * 1024


class Watched:
    """An S3 client that remembers which calls were made, and can be told to fail at one."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self.calls: list[str] = []
        self.fails_at: str | None = None

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            self.calls.append(name)
            if name == self.fails_at:
                raise ClientError({"Error": {"Code": "InternalError"}}, name)
            return getattr(self._s3, name)(**request)

        return call


@pytest.fixture
def s3() -> Iterator[Watched]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield Watched(client)


def store(s3: Watched, sizes: list[int]) -> tuple[list[StoredObject], bytes]:
    draw = random.Random(1)
    parts, whole = [], b""
    for number, size in enumerate(sizes):
        content = draw.randbytes(size)
        s3.put_object(Bucket=BUCKET, Key=f"part-{number}", Body=content)
        parts.append(StoredObject(bucket=BUCKET, key=f"part-{number}", size=size))
        whole += content
    s3.calls.clear()
    return parts, whole


@pytest.mark.parametrize(
    ("sizes", "copies"),
    [
        ([], 0),
        ([0, 0], 0),
        ([10, 0, 20], 0),
        ([6 * MIB, 7 * MIB], 2),
        ([6 * MIB, 100, 7 * MIB], 1),  # the last is carried: what tops up the small one leaves less than a part
        ([6 * MIB, 100, 11 * MIB, 5], 2),
        ([MIB] * 7, 0),
        ([LEAST_PART, LEAST_PART - 1, LEAST_PART], 1),
        ([3, 12 * MIB], 1),
    ],
)
def test_the_bytes_are_those_of_the_parts_in_order(s3: Watched, sizes: list[int], copies: int) -> None:
    parts, whole = store(s3, sizes)
    join(s3, parts, bucket=BUCKET, key="whole")
    calls = list(s3.calls)
    assert s3.get_object(Bucket=BUCKET, Key="whole")["Body"].read() == whole
    assert calls.count("upload_part_copy") == copies


def test_a_large_part_is_copied_in_pieces_that_are_large_enough(s3: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "MOST_PART", 11 * MIB)
    parts, whole = store(s3, [13 * MIB])
    join(s3, parts, bucket=BUCKET, key="whole")
    assert s3.calls.count("upload_part_copy") == 2
    assert s3.get_object(Bucket=BUCKET, Key="whole")["Body"].read() == whole


@pytest.mark.parametrize("call", ["upload_part_copy", "complete_multipart_upload", "upload_part"])
def test_nothing_is_left_of_what_fails(s3: Watched, call: str) -> None:
    parts, _ = store(s3, [6 * MIB, 100])
    s3.fails_at = call
    with pytest.raises(ClientError):
        join(s3, parts, bucket=BUCKET, key="whole")
    assert "abort_multipart_upload" in s3.calls
    assert s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []) == []
