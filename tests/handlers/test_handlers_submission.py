"""The submitting functions create one job and leave a row that waits for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lambda_handlers import submit_training
from lambda_handlers.protocol import aws
from lambda_handlers.protocol.ledger import LedgerClient
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.store import run_control_store

RECIPE = b"run:\n  model_type: amazon.nova-2-lite-v1:0:256k\n  model_name_or_path: nova-lite-2/prod\n"
ENVIRONMENT = {
    "CUSTOMIZATION": "demo",
    "SLUG": "demo",
    "ARTIFACTS_BUCKET": "artifacts-bucket",
    "JOB_REGISTRY_TABLE": "registry",
    "RUN_CONTROL_TABLE": "control",
    "APPEND_LEDGER_FUNCTION": "append-ledger",
    "TRAINING_ROLE_ARN": "arn:aws:iam::123456789012:role/training",
    "KEY_ARN": "arn:aws:kms:us-east-1:123456789012:key/1234",
}
RUN = {
    "id": "run-1",
    "execution_arn": "arn:aws:states:us-east-1:123456789012:execution:demo:run-1",
    "state_machine_arn": "arn:aws:states:us-east-1:123456789012:stateMachine:demo",
    "started_at": "2026-01-01T00:00:00Z",
    "lock_generation": 1,
}
EVENT: dict[str, Any] = {
    "run": RUN,
    "token": "token-1",
    "train_uri": "s3://prepared-bucket/runs/run-1/train.jsonl",
    "recipe": {
        "recipe_prefix_uri": "s3://artifacts-bucket/runs/run-1/training/recipe/",
        "recipe_file": "recipe.yaml",
        "image_uri": "708977205387.dkr.ecr.us-east-1.amazonaws.com/nova-fine-tune-repo:SM-TJ-SFT-V2-latest",
        "recipe_sha256": hashlib.sha256(RECIPE).hexdigest(),
        "instance_type": "ml.p5.48xlarge",
        "instance_count": 4,
        "alternatives": [],
    },
    "config": {
        "model": "NOVA_LITE_2",
        "method": "SFT_LORA",
        "deadline_seconds": 90000,
        "training": {
            "platform": "SMTJ",
            "instance_type": "ml.p5.48xlarge",
            "instance_count": 4,
            "max_runtime_seconds": 86400,
            "max_pending_seconds": 7200,
            "volume_size_gb": 30,
        },
    },
}


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    recorded: list[dict[str, Any]] = []

    def append(_: LedgerClient, **event: Any) -> Mapping[str, Any]:
        recorded.append(event)
        return {"seq": len(recorded), "hash": ""}

    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(LedgerClient, "append", append)
    with mock_aws():
        aws.client.cache_clear()
        _create_tables()
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="artifacts-bucket")
        s3.put_object(Bucket="artifacts-bucket", Key="runs/run-1/training/recipe/recipe.yaml", Body=RECIPE)
        yield recorded
    aws.client.cache_clear()


def _create_tables() -> None:
    dynamodb = boto3.client("dynamodb")
    keys = {"registry": {"run_id": "HASH", "stage": "RANGE"}, "control": {"item": "HASH"}}
    for table, schema in keys.items():
        dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in schema.items()],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in schema],
            BillingMode="PAY_PER_REQUEST",
        )
    RunLock(run_control_store("control")).acquire("run-1", "e1", datetime(2026, 1, 1, tzinfo=UTC))


def test_a_repeated_submission_makes_one_job(events: list[dict[str, Any]]) -> None:
    first = submit_training.handler(EVENT, None)
    again = submit_training.handler({**EVENT, "token": "token-2", "retry": 1}, None)
    sagemaker = boto3.client("sagemaker")
    [job] = sagemaker.list_training_jobs()["TrainingJobSummaries"]
    assert first["job"]["name"] == again["job"]["name"] == job["TrainingJobName"]
    assert first["job"]["stage"] == "training"
    assert "token" not in str(first)
    tags = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"]}
    assert tags["nova-constructs:customization"] == "demo"
    assert tags["nova-constructs:run"] == "run-1"
    key = {"run_id": {"S": "run-1"}, "stage": {"S": "training"}}
    row = boto3.client("dynamodb").get_item(TableName="registry", Key=key)["Item"]
    assert (row["attempt"]["N"], row["job_name"]["S"]) == ("1", job["TrainingJobName"])
    assert events[0]["type"] == "job_submitted"
