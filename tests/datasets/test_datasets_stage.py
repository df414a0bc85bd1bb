"""Data preparation as a stage: S3 to S3, recorded, and stopped before training where the data is not fit."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.response import StreamingBody
from moto import mock_aws

from lambda_handlers.datasets import s3_objects
from lambda_handlers.datasets.s3_objects import S3Sink
from lambda_handlers.datasets.stage.preparing_at_once import prepare_or_cut
from lambda_handlers.datasets.stage.request import StageRequest
from lambda_handlers.datasets.stage.shard_objects import Buckets, ShardObjects
from lambda_handlers.protocol.errors import DataPreparationFailed, DatasetRejected

BUCKETS = Buckets(prepared="prepared-bucket", quarantine="quarantine-bucket")
URI = "s3://incoming-bucket/datasets/a.jsonl"
GOOD = b'{"q": "x", "answer": "y"}\n'


class Recorder:
    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def append(self, **event: Any) -> Mapping[str, Any]:
        self.events.append(event)
        return {"seq": len(self.events), "hash": ""}


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        for bucket in ("incoming-bucket", BUCKETS.prepared, BUCKETS.quarantine):
            client.create_bucket(Bucket=bucket)
        client.put_bucket_versioning(Bucket="incoming-bucket", VersioningConfiguration={"Status": "Enabled"})
        yield client


def event(s3: Any, data: bytes, **config: Any) -> dict[str, Any]:
    version = s3.put_object(Bucket="incoming-bucket", Key="datasets/a.jsonl", Body=data)["VersionId"]
    return {
        "run": {
            "id": "run-1",
            "execution_arn": "arn:e",
            "state_machine_arn": "arn:s",
            "started_at": "2026-01-01T00:00:00Z",
            "lock_generation": 1,
        },
        "dataset": {
            "uri": URI,
            "objects": [
                {
                    "uri": URI,
                    "version_id": version,
                    "sha256": hashlib.sha256(data).hexdigest(),
                    "bytes": len(data),
                }
            ],
        },
        "config": {
            "model": "NOVA_LITE_2",
            "method": "SFT_LORA",
            "columns": {"question": "q"},
            "system_prompt": None,
            "max_reject_ratio": 0.1,
            **config,
        },
    }


def prepare(planned: dict[str, Any], s3: Any, ledger: Any = None) -> dict[str, Any]:
    request = StageRequest.parse(planned)
    objects = ShardObjects(s3=s3, buckets=BUCKETS, place=request.place)
    return prepare_or_cut(request, objects, ledger or Recorder())


def body(s3: Any, uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def test_good_rows_go_to_the_training_file_and_the_others_to_quarantine(s3: Any) -> None:
    ledger = Recorder()
    result = prepare(event(s3, GOOD * 19 + b"x\n"), s3, ledger)
    train = body(s3, "s3://prepared-bucket/runs/run-1/train.jsonl")
    assert result == {
        "train": {
            "uri": "s3://prepared-bucket/runs/run-1/train.jsonl",
            "sha256": hashlib.sha256(train).hexdigest(),
            "bytes": len(train),
            "rows": 19,
        },
        "rows": {"in": 20, "out": 19, "rejected": 1, "duplicate": 0, "leaked": 0, "over_limit": 0},
        "manifest_uri": "s3://prepared-bucket/runs/run-1/manifest.json",
        "quarantine_uri": "s3://quarantine-bucket/runs/run-1/quarantine.jsonl",
    }
    assert len(train.splitlines()) == 19
    assert json.loads(body(s3, result["quarantine_uri"]))["row"] == 20
    assert json.loads(body(s3, result["manifest_uri"]))["rows"] == result["rows"]
    assert [(each["type"], each["event_id"]) for each in ledger.events] == [("data_prepared", "data-prepared")]
    detail = ledger.events[0]["detail"]
    assert {name: value for name, value in detail.items() if name != "made_of"} == result
    assert sorted(detail["made_of"]) == ["code", "dataset", "no_leak_with", "settings"]


def test_the_data_of_a_further_stage_has_a_place_and_an_event_of_its_own(s3: Any) -> None:
    ledger = Recorder()
    prepare(event(s3, GOOD * 20), s3, ledger)
    result = prepare({**event(s3, GOOD * 30), "stage": "rl"}, s3, ledger)
    assert result["train"]["uri"] == "s3://prepared-bucket/runs/run-1/rl/train.jsonl"
    assert result["manifest_uri"] == "s3://prepared-bucket/runs/run-1/rl/manifest.json"
    assert result["quarantine_uri"] == "s3://quarantine-bucket/runs/run-1/rl/quarantine.jsonl"
    assert len(body(s3, "s3://prepared-bucket/runs/run-1/train.jsonl").splitlines()) == 20
    assert [each["event_id"] for each in ledger.events] == ["data-prepared", "data-prepared-rl"]
    assert [each["detail"].get("stage") for each in ledger.events] == [None, "rl"]
    with pytest.raises(DatasetRejected, match=r"Manifest: s3://prepared-bucket/runs/run-1/rl/manifest"):
        prepare({**event(s3, b"x\n" * 20), "stage": "rl"}, s3, ledger)
    assert (ledger.events[-1]["event_id"], ledger.events[-1]["detail"]["stage"]) == ("dataset-rejected-rl", "rl")


def test_too_many_bad_rows_stop_the_run_with_reasons_and_the_manifest(s3: Any) -> None:
    ledger = Recorder()
    with pytest.raises(DatasetRejected, match=r"2 of 4 rows .* Manifest: s3://prepared-bucket/runs/run-1/manifest"):
        prepare(event(s3, GOOD * 2 + b"x\nx\n"), s3, ledger)
    assert [each["type"] for each in ledger.events] == ["dataset_rejected"]
    assert ledger.events[0]["detail"]["rows"]["rejected"] == 2
    assert len(body(s3, "s3://quarantine-bucket/runs/run-1/quarantine.jsonl").splitlines()) == 2


def test_the_planned_version_is_read_whatever_was_uploaded_since(s3: Any) -> None:
    planned = event(s3, GOOD * 10)
    s3.put_object(Bucket="incoming-bucket", Key="datasets/a.jsonl", Body=b"x")
    assert prepare(planned, s3)["rows"]["out"] == 10


def test_content_that_is_not_the_planned_content_fails(s3: Any) -> None:
    planned = event(s3, GOOD * 10)
    planned["dataset"]["objects"][0]["sha256"] = "0" * 64
    with pytest.raises(DataPreparationFailed, match="changed after the run was planned"):
        prepare(planned, s3)


def test_a_dataset_that_vanished_is_named(s3: Any) -> None:
    planned = event(s3, GOOD)
    version = planned["dataset"]["objects"][0]["version_id"]
    s3.delete_object(Bucket="incoming-bucket", Key="datasets/a.jsonl", VersionId=version)
    with pytest.raises(DataPreparationFailed, match=r"s3://incoming-bucket/datasets/a.jsonl changed or vanished"):
        prepare(planned, s3)


def test_fewer_rows_than_documented_stop_the_run(s3: Any) -> None:
    with pytest.raises(DatasetRejected, match=r"7 .*8"):
        prepare(event(s3, GOOD * 7), s3)


def test_a_small_dataset_is_split_and_compared_by_one_call(s3: Any) -> None:
    rows = b"".join(b'{"q": "question %d", "answer": "y"}\n' % n for n in range(50))
    asked = [{"query": f"QUESTION  {n}", "response": "y"} for n in range(5)]
    s3.put_object(Bucket="incoming-bucket", Key="evaluation/a.jsonl", Body="\n".join(map(json.dumps, asked)).encode())
    planned = event(
        s3,
        rows * 2,
        split={"train": 0.6, "validation": 0.2, "test": 0.2, "by": "rows"},
        dedupe=True,
        no_leak=True,
        no_leak_with=["s3://incoming-bucket/evaluation/a.jsonl"],
    )
    result = prepare(planned, s3)
    assert result["rows"]["duplicate"] == 50
    assert result["rows"]["leaked"] + result["train"]["rows"] == 30
    assert (result["validation"]["rows"], result["test"]["rows"]) == (10, 10)
    for part in ("train", "validation", "test"):
        assert hashlib.sha256(body(s3, result[part]["uri"])).hexdigest() == result[part]["sha256"]
    train = body(s3, result["train"]["uri"]).decode()
    assert not any(f'question {n}"' in train for n in range(5))
    manifest = json.loads(body(s3, result["manifest_uri"]))
    assert manifest["evaluation_sets"][0]["uri"] == "s3://incoming-bucket/evaluation/a.jsonl"


def test_a_large_object_is_uploaded_in_parts_and_an_aborted_one_leaves_nothing(s3: Any) -> None:
    part = 5 * 1024 * 1024
    sink = S3Sink(s3, bucket=BUCKETS.prepared, key="k", part_bytes=part)
    data = bytes(range(256)) * (part // 256) * 2 + b"end"
    for start in range(0, len(data), 1_000_000):
        sink.write(data[start : start + 1_000_000])
    sink.close()
    assert body(s3, sink.uri) == data
    assert s3.head_object(Bucket=BUCKETS.prepared, Key="k")["ETag"].endswith('-3"')
    other = S3Sink(s3, bucket=BUCKETS.prepared, key="other", part_bytes=part)
    other.write(b"x" * part)
    other.abort()
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKETS.prepared)


class FlakyS3:
    """Break the connection after a while, `breaks` times."""

    def __init__(self, data: bytes, breaks: int) -> None:
        self.data, self.breaks = data, breaks
        self.requests: list[dict[str, Any]] = []

    def get_object(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        start = int(request.get("Range", "bytes=0-")[6:-1])
        rest = self.data[start:]
        stream: Any = io.BytesIO(rest)
        if self.breaks:
            self.breaks -= 1
            stream = _Breaking(rest[: len(rest) // 2])
        return {"Body": StreamingBody(stream, len(rest)), "ETag": '"e"'}


class _Breaking(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        if not found:
            raise ReadTimeoutError(endpoint_url="https://s3")
        return found


def test_a_broken_connection_is_taken_up_where_it_broke() -> None:
    flaky = FlakyS3(b"0123456789" * 10, breaks=2)
    assert b"".join(s3_objects.chunks(flaky, bucket="b", key="k", version_id="v")) == flaky.data
    assert [request.get("Range") for request in flaky.requests] == [None, "bytes=50-", "bytes=75-"]
    assert flaky.requests[1] == {"Bucket": "b", "Key": "k", "VersionId": "v", "Range": "bytes=50-", "IfMatch": '"e"'}


def test_a_connection_that_keeps_breaking_is_given_up() -> None:
    with pytest.raises(ReadTimeoutError):
        list(s3_objects.chunks(FlakyS3(b"0123456789" * 100, breaks=99), bucket="b", key="k", version_id=None))
