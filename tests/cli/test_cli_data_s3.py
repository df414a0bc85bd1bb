"""`nova data` on s3:// addresses, and how it ends when something outside goes wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lambda_handlers.protocol.errors import DataPreparationFailed
from nova_constructs.cli.data import places
from tests.cli.cli_support import Nova

LITE = ("--model", "NOVA_LITE_2", "--method", "SFT_LORA")
ROWS = b"".join(b'{"question": "What is %d?", "answer": "It is %d."}\n' % (n, n) for n in range(20))


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="data")
        client.put_object(Bucket="data", Key="raw/rows.jsonl", Body=ROWS)
        yield client


def test_objects_are_prepared_validated_converted_and_shown(nova: Nova, s3: Any) -> None:
    prepared = nova("data", "prepare", "s3://data/raw/", *LITE, "--output", "s3://data/out/", "--split", "--json")
    validated = nova("data", "validate", "s3://data/out/train.jsonl", *LITE, "--json")
    converted = nova("data", "convert", "s3://data/out/test.jsonl", "--to", "openai", "--output", "s3://data/chat")
    shown = nova("data", "show", "s3://data/chat/openai.jsonl", "-n", 1, "--json")

    assert [each.code for each in (prepared, validated, converted, shown)] == [0, 0, 0, 0]
    assert json.loads(prepared.out)["manifest_uri"] == "s3://data/out/manifest.json"
    assert json.loads(validated.out)["rows"]["out"] == 16
    assert "s3://data/chat/manifest.json" in converted.out
    [row] = json.loads(shown.out)["rows"]
    assert row["value"]["messages"][0]["role"] == "user"


def test_the_output_may_be_local(nova: Nova, s3: Any, tmp_path: Path) -> None:
    ran = nova("data", "prepare", "s3://data/raw/rows.jsonl", *LITE, "--output", tmp_path / "out")

    assert ran.code == 0
    assert (tmp_path / "out" / "train.jsonl").read_bytes().count(b"\n") == 20


@pytest.mark.parametrize(
    ("source", "code", "error"),
    [
        ("s3://data/nothing/", 2, "InvalidRequest"),
        ("s3://data/nothing.jsonl", 2, "InvalidRequest"),
        ("s3:///key.jsonl", 2, "InvalidRequest"),
    ],
)
def test_an_address_with_nothing_there_is_bad_input(nova: Nova, s3: Any, source: str, code: int, error: str) -> None:
    ran = nova("data", "prepare", source, *LITE, "--output", "s3://data/out/", "--json")

    told = json.loads(ran.out)
    assert (ran.code, told["error"]) == (code, error)
    assert source in told["cause"]


def test_what_aws_refuses_is_one_object_too(nova: Nova, s3: Any) -> None:
    command = ("data", "prepare", "s3://data/raw/rows.jsonl", *LITE, "--output", "s3://nowhere-at-all/out")

    ran, as_json = nova(*command), nova(*command, "--json")

    assert (ran.code, ran.out) == (1, "")
    assert "NoSuchBucket" in ran.err
    assert as_json.code == 1
    assert "NoSuchBucket" in json.loads(as_json.out)["cause"]


@pytest.mark.parametrize(
    ("raised", "code", "error"),
    [
        (DataPreparationFailed("the dataset x changed while it was read"), 1, "DataPreparationFailed"),
        (OSError(28, "No space left on device", "out/train.jsonl"), 1, "DataPreparationFailed"),
        (KeyboardInterrupt(), 130, "Interrupted"),
    ],
)
def test_whatever_ends_the_work_there_is_one_object(
    nova: Nova, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, error: str
) -> None:
    def failing(*_: Any, **__: Any) -> Any:
        raise raised

    monkeypatch.setattr(places.files, "prepare_files", failing)

    ran = nova("data", "prepare", "rows.jsonl", *LITE, "--output", tmp_path / "out", "--json")

    assert (ran.code, json.loads(ran.out)["error"]) == (code, error)
    assert json.loads(ran.out)["cause"]


def test_a_fault_of_ours_is_told_with_its_trace(nova: Nova, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def failing(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(places.files, "validate_files", failing)

    with pytest.raises(ZeroDivisionError):
        nova("data", "validate", "rows.jsonl", *LITE, "--json")

    assert json.loads(capsys.readouterr().out) == {"error": "ZeroDivisionError", "cause": "division by zero"}
