"""`nova data` on rows with media: copied beside an output on S3, left where they are otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.cli.cli_support import Nova

LITE = ("--model", "NOVA_LITE_2", "--method", "SFT_LORA")


def row(uri: str) -> bytes:
    image = {"image_format": "png", "s3_uri": uri, "bucket_owner": "111122223333"}
    return json.dumps({"question": "What?", "answer": "A cat.", **image}).encode() + b"\n"


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        for bucket in ("photos", "data"):
            client.create_bucket(Bucket=bucket)
            client.put_object(Bucket=bucket, Key="a.png", Body=b"a cat")
        yield client


def test_media_are_copied_beside_an_output_on_s3(nova: Nova, s3: Any, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(row("s3://photos/a.png"))

    ran = nova("data", "prepare", tmp_path / "rows.jsonl", *LITE, "--output", "s3://data/out", "--json")

    assert ran.code == 0, ran.err
    made = json.loads(s3.get_object(Bucket="data", Key="out/train.jsonl")["Body"].read())
    location = made["messages"][0]["content"][0]["image"]["source"]["s3Location"]
    key = location["uri"].removeprefix("s3://data/")
    assert key.startswith("out/media/")
    assert location["bucketOwner"] == boto3.client("sts", region_name="us-east-1").get_caller_identity()["Account"]
    assert s3.get_object(Bucket="data", Key=key)["Body"].read() == b"a cat"


def test_a_local_output_says_where_it_has_to_be_uploaded(nova: Nova, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(row("s3://photos/a.png"))

    ran = nova("data", "prepare", tmp_path / "rows.jsonl", *LITE, "--output", tmp_path / "out")

    assert ran.code == 0
    assert "so upload the data to photos" in " ".join(ran.out.split())


def test_media_in_several_buckets_refuse_a_local_output(nova: Nova, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(row("s3://photos/a.png") + row("s3://data/a.png"))

    ran = nova("data", "prepare", tmp_path / "rows.jsonl", *LITE, "--output", tmp_path / "out")

    assert ran.code == 1
    assert "1 rows have media in data, first row 2; 1 rows have media in photos, first row 1" in " ".join(
        (ran.out + ran.err).split()
    )
