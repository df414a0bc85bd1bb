"""Preparing from S3 and to S3: the same bytes as with local files, and nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lambda_handlers.datasets.files import prepare_files
from lambda_handlers.datasets.preparation import Operations, Preparation, Split
from lambda_handlers.datasets.s3_files import prepare_objects, validate_objects
from lambda_handlers.protocol.errors import DatasetRejected, InvalidRequest

EVERYTHING = Operations(split=Split(), dedupe=True, no_leak=True, limit=70)
SFT = Preparation(model="NOVA_LITE_2", method="SFT_LORA", operations=EVERYTHING)
PLAIN = Preparation(model="NOVA_LITE_2", method="SFT_LORA")
ROWS = b"".join(b'{"question": "What is %d?", "answer": "It is %d."}\n' % (n % 60, n % 90) for n in range(200))
OUTPUTS = ("train.jsonl", "validation.jsonl", "test.jsonl", "quarantine.jsonl")


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        for bucket in ("incoming", "prepared"):
            client.create_bucket(Bucket=bucket)
        client.put_object(Bucket="incoming", Key="raw/a.jsonl", Body=ROWS)
        yield client


def body(s3: Any, key: str) -> bytes:
    found: bytes = s3.get_object(Bucket="prepared", Key=key)["Body"].read()
    return found


def keys(s3: Any) -> list[str]:
    return [item["Key"] for item in s3.list_objects_v2(Bucket="prepared").get("Contents", ())]


@pytest.mark.parametrize("given", ["s3://incoming/raw/a.jsonl", "s3://incoming/raw/", "s3://incoming/raw"])
@pytest.mark.parametrize("output", ["s3://prepared/p", "s3://prepared/p/"])
def test_objects_give_the_bytes_that_files_give(s3: Any, tmp_path: Path, given: str, output: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(ROWS)
    local = prepare_files(str(tmp_path / "a.jsonl"), tmp_path / "out", SFT)

    remote = prepare_objects(s3, given, output, SFT)

    for name in OUTPUTS:
        assert body(s3, f"p/{name}") == (tmp_path / "out" / name).read_bytes(), name
    assert remote.manifest.rows == local.manifest.rows
    assert json.loads(body(s3, "p/manifest.json")) == json.loads(json.dumps(remote.manifest.as_dict()))
    assert [written.uri for written in remote.manifest.outputs] == [f"s3://prepared/p/{name}" for name in OUTPUTS]
    assert keys(s3) == sorted(f"p/{name}" for name in (*OUTPUTS, "manifest.json"))


def test_paths_and_addresses_go_together(s3: Any, tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_bytes(b'{"question": "Here?", "answer": "Yes."}\n')

    prepared = prepare_objects(s3, ["s3://incoming/raw/", str(tmp_path / "b.jsonl")], str(tmp_path / "out"), PLAIN)

    assert prepared.manifest.rows.out == 201
    assert (tmp_path / "out" / "train.jsonl").read_bytes().count(b"\n") == 201
    assert keys(s3) == []


def test_an_evaluation_set_may_be_an_object(s3: Any, tmp_path: Path) -> None:
    s3.put_object(Bucket="incoming", Key="asked.jsonl", Body=b'{"query": "What is 7?", "response": "7"}\n')
    preparation = Preparation(model="NOVA_LITE_2", method="SFT_LORA", operations=Operations(no_leak=True))

    prepared = prepare_objects(
        s3, "s3://incoming/raw/a.jsonl", "s3://prepared/p", preparation, evaluation_sets=["s3://incoming/asked.jsonl"]
    )

    assert prepared.manifest.rows.leaked == 4
    assert b"What is 7?" not in body(s3, "p/train.jsonl")


def test_earlier_outputs_are_replaced_or_removed_and_others_stay(s3: Any) -> None:
    prepare_objects(s3, "s3://incoming/raw/", "s3://prepared/p", SFT)
    s3.put_object(Bucket="prepared", Key="p/notes.txt", Body=b"mine")

    prepare_objects(s3, "s3://incoming/raw/", "s3://prepared/p", PLAIN)

    assert keys(s3) == ["p/manifest.json", "p/notes.txt", "p/quarantine.jsonl", "p/train.jsonl"]


def test_an_object_that_is_not_ours_is_not_replaced(s3: Any) -> None:
    s3.put_object(Bucket="prepared", Key="p/train.jsonl", Body=b"mine")

    with pytest.raises(
        InvalidRequest, match=r"s3://prepared/p/train\.jsonl is not an output of an earlier preparation"
    ):
        prepare_objects(s3, "s3://incoming/raw/", "s3://prepared/p", PLAIN)

    assert (keys(s3), body(s3, "p/train.jsonl")) == (["p/train.jsonl"], b"mine")


def test_the_manifest_of_another_tool_removes_nothing(s3: Any) -> None:
    prepare_objects(s3, "s3://incoming/raw/", "s3://prepared/p", PLAIN)
    ours = json.loads(body(s3, "p/manifest.json"))
    s3.put_object(Bucket="prepared", Key="p/notes.txt", Body=b"mine")
    ours["outputs"].append({"uri": "s3://prepared/p/notes.txt"})

    s3.put_object(Bucket="prepared", Key="p/manifest.json", Body=json.dumps({**ours, "schema_version": "2"}))
    with pytest.raises(InvalidRequest, match=r"s3://prepared/p/manifest\.json is not an output"):
        prepare_objects(s3, "s3://incoming/raw/", "s3://prepared/p", PLAIN)

    s3.put_object(Bucket="prepared", Key="p/manifest.json", Body=json.dumps(ours))
    prepare_objects(s3, "s3://incoming/raw/", "s3://prepared/p", PLAIN)
    assert "p/notes.txt" in keys(s3)


def test_a_prefix_that_holds_a_preparation_is_no_input(s3: Any) -> None:
    prepare_objects(s3, "s3://incoming/raw/", "s3://prepared/p", PLAIN)
    with pytest.raises(InvalidRequest, match=r"s3://prepared/p/ holds a preparation, .*train\.jsonl for instance"):
        prepare_objects(s3, "s3://prepared/p/", "s3://prepared/again", PLAIN)


@pytest.mark.parametrize("given", ["s3://incoming/raw/", "s3://incoming/raw"])
def test_the_output_prefix_is_no_input_prefix(s3: Any, given: str) -> None:
    with pytest.raises(InvalidRequest, match="the output prefix s3://incoming/raw/ is an input as well"):
        prepare_objects(s3, given, "s3://incoming/raw/", PLAIN)
    assert s3.list_objects_v2(Bucket="incoming")["KeyCount"] == 1


def test_a_local_output_folder_is_no_input_folder_beside_objects(s3: Any, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(ROWS)
    with pytest.raises(InvalidRequest, match="is an input folder as well"):
        prepare_objects(s3, ["s3://incoming/raw/", str(tmp_path)], str(tmp_path), PLAIN)


def test_an_output_does_not_replace_its_input(s3: Any) -> None:
    prepare_objects(s3, "s3://incoming/raw/", "s3://prepared/p", PLAIN)

    with pytest.raises(InvalidRequest, match="would replace an input"):
        prepare_objects(s3, "s3://prepared/p/train.jsonl", "s3://prepared/p", PLAIN)


def test_a_failure_leaves_nothing_visible_and_no_upload(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # 6 MB in several rows: uploads have begun when the content turns out to be broken.
    monkeypatch.setattr("lambda_handlers.datasets.s3_objects.S3Sink.__init__.__kwdefaults__", {"part_bytes": 5 << 20})
    big = b"".join(b'{"question": "%d", "answer": "%s"}\n' % (n, b"word " * 2000) for n in range(700))
    s3.put_object(Bucket="incoming", Key="broken.jsonl", Body=big)
    at = prepare_objects

    def failing(*_: Any, **__: Any) -> Any:
        raise RuntimeError("here")

    monkeypatch.setattr("lambda_handlers.datasets.passes.outcome.conclude", failing)
    with pytest.raises(RuntimeError, match="here"):
        at(s3, "s3://incoming/broken.jsonl", "s3://prepared/p", PLAIN)

    assert keys(s3) == []
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="prepared")


def test_a_rejected_dataset_leaves_everything_to_look_at(s3: Any) -> None:
    s3.put_object(Bucket="incoming", Key="bad.jsonl", Body=b'{"question": "a", "answer": "b"}\nnot json\n')

    with pytest.raises(DatasetRejected, match=r"Manifest: s3://prepared/p/manifest\.json"):
        prepare_objects(s3, "s3://incoming/bad.jsonl", "s3://prepared/p", PLAIN)

    assert json.loads(body(s3, "p/manifest.json"))["status"] == "rejected"
    assert b'"not_json"' in body(s3, "p/quarantine.jsonl")


def test_several_processes_are_for_local_files(s3: Any) -> None:
    with pytest.raises(InvalidRequest, match="local files only"):
        prepare_objects(s3, "s3://incoming/raw/", "s3://prepared/p", PLAIN, processes=2)


def test_objects_are_validated_where_they_lie(s3: Any) -> None:
    prepare_objects(s3, "s3://incoming/raw/", "s3://prepared/p", PLAIN)

    as_is = Preparation(model="NOVA_LITE_2", method="SFT_LORA", as_is=True)
    assert validate_objects(s3, "s3://prepared/p/train.jsonl", as_is).manifest.rows.out == 200


def test_a_bucket_that_is_not_there_is_an_error_of_s3(s3: Any) -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        prepare_objects(s3, "s3://incoming/raw/", "s3://nowhere/p", PLAIN)


def test_an_output_without_a_bucket_is_refused(s3: Any) -> None:
    with pytest.raises(InvalidRequest, match="names no bucket"):
        prepare_objects(s3, "s3://incoming/raw/", "s3:///p", PLAIN)
