"""The submitting functions create one job and leave a row that waits for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from lambda_handlers import submit_training
from lambda_handlers.protocol import aws, waiting
from lambda_handlers.protocol.ledger import LedgerClient
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.registry import JobRegistry, Outcome, RowStatus
from lambda_handlers.protocol.store import job_registry_store, run_control_store

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


class Answers:
    """The state machine's side of a task token."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def succeed(self, token: str, output: Mapping[str, Any]) -> bool:
        self.told.append((token, dict(output)))
        return True

    def fail(self, token: str, error: str, cause: str) -> bool:
        raise AssertionError(error, cause)


@pytest.mark.parametrize(
    ("change", "taken"), [({}, True), ({"train_sha256": "2" * 64}, False), ({"output": "gone"}, False)]
)
def test_a_run_that_resumes_another_submits_nothing_where_all_is_the_same(
    events: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], taken: bool
) -> None:
    answers, defaults = Answers(), waiting.submit.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "tasks", answers)
    recipe = {**EVENT["recipe"], "recipe_identity": "i", "functions": {}}
    first = {**EVENT, "train_sha256": "1" * 64, "recipe": recipe}
    name = submit_training.handler(first, None)["job"]["name"]
    registry, s3 = JobRegistry(job_registry_store("registry")), boto3.client("s3")
    row = registry.get("run-1", "training")
    assert row is not None
    place = f"runs/run-1/jobs/{name}/output/output.tar.gz"
    output = {"job": {"name": name}, "output_uri": f"s3://artifacts-bucket/{place}", "seconds": 1}
    registry.save(replace(row, status=RowStatus.CLOSED, token="", outcome=Outcome(output=output)), replacing=row)
    s3.put_object(Bucket="artifacts-bucket", Key="gone" if change.pop("output", "") else place, Body=b"archive")
    RunLock(run_control_store("control")).release("run-1")
    RunLock(run_control_store("control")).acquire("run-2", "e2", datetime(2026, 1, 1, tzinfo=UTC))
    run = {**RUN, "id": "run-2", "lock_generation": 2, "resumes": ["run-1"]}
    folder = recipe["recipe_prefix_uri"].replace("run-1", "run-2")
    s3.put_object(Bucket="artifacts-bucket", Key="runs/run-2/training/recipe/recipe.yaml", Body=RECIPE)
    again = {
        **first,
        **change,
        "run": run,
        "token": "token-2",
        "train_uri": first["train_uri"].replace("run-1", "run-2"),
        "recipe": {**recipe, "recipe_prefix_uri": folder},
    }
    job = submit_training.handler(again, None)["job"]
    made = boto3.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]
    assert (job["name"] == name, len(made)) == ((True, 1) if taken else (False, 2))
    # Moto's jobs have completed as soon as they are made.
    [told] = [told for token, told in answers.told if token == "token-2"]
    assert (told == output) is taken
    kinds = [event["type"] for event in events if event["run_id"] == "run-2"]
    assert kinds == (["stage_taken"] if taken else ["stage_not_taken", "job_submitted"]) + ["job_ended"]
