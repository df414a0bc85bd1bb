"""Builds the requests of evaluation jobs against the snapshot of the hub."""

from __future__ import annotations

from typing import Any

import yaml

from lambda_handlers.evaluation import job
from lambda_handlers.evaluation.stages import stage_name
from lambda_handlers.recipes import hub_snapshot as hub
from tests.training.training_support import RUN, MemoryS3

CHECKPOINT = "s3://customer-escrow-123456789012-smtj-abc/job-1"
TASK: dict[str, Any] = {
    "task": "mmlu",
    "subtask": None,
    "dataset_uri": None,
    "overrides": {},
    "instance_type": "ml.p5.48xlarge",
    "instance_count": 1,
    "max_runtime_seconds": 3600,
    "max_pending_seconds": None,
}


class Hub:
    def describe_hub_content(self, **request: Any) -> Any:
        return hub.hub_content(request["HubContentName"], "us-east-1", request.get("HubContentVersion"))


def request(*, model: str = "NOVA_LITE_2", **task: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the request of an evaluation job of the checkpoint, and the recipe that it reads."""
    s3 = MemoryS3({f"s3://{hub.bucket('us-east-1')}/{key}": content for key, content in hub.objects().items()})
    subject = {"model": "candidate", "model_path": CHECKPOINT}
    event: dict[str, Any] = {"run": RUN, "task": {**TASK, **task}, "subject": subject, "config": {"model": model}}
    if event["task"]["dataset_uri"]:
        event["set"] = {"uri": event["task"]["dataset_uri"], "sha256": "0" * 64, "rows": 1}
    places = {"role_arn": "arn:role", "artifacts_bucket": "artifacts-bucket", "slug": "demo", "key_arn": "arn:key"}
    [made] = job.requests(event, s3=s3, sagemaker=Hub(), **places)
    stage = stage_name(event["task"])
    return made, yaml.safe_load(s3.objects[f"s3://artifacts-bucket/runs/run-1/{stage}/recipe/recipe.yaml"])
