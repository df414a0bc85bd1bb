"""An evaluation job scores the run's checkpoint by one task."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from lambda_handlers.evaluation import job
from lambda_handlers.evaluation.stages import stage_name
from lambda_handlers.protocol.errors import InvalidRequest
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


def request(**task: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    s3 = MemoryS3({f"s3://{hub.bucket('us-east-1')}/{key}": content for key, content in hub.objects().items()})
    event = {"run": RUN, "task": {**TASK, **task}, "checkpoint_uri": CHECKPOINT, "config": {"model": "NOVA_LITE_2"}}
    places = {"role_arn": "arn:role", "artifacts_bucket": "artifacts-bucket", "slug": "demo", "key_arn": "arn:key"}
    made = job.request(event, s3=s3, sagemaker=Hub(), **places)
    stage = stage_name(event["task"])
    return made, yaml.safe_load(s3.objects[f"s3://artifacts-bucket/runs/run-1/{stage}/recipe/recipe.yaml"])


def test_a_benchmark_brings_its_own_data() -> None:
    made, recipe = request()
    assert [channel["ChannelName"] for channel in made["InputDataConfig"]] == ["recipe"]
    assert made["HyperParameters"]["base_model_location"] == CHECKPOINT
    output = {"S3OutputPath": "s3://artifacts-bucket/runs/run-1/jobs", "KmsKeyId": "arn:key"}
    assert made["OutputDataConfig"] == output
    assert recipe["run"]["model_name_or_path"] == CHECKPOINT
    assert recipe["evaluation"] == {"task": "mmlu", "strategy": "zs_cot", "metric": "accuracy", "subtask": ""}
    assert (recipe["run"]["data_s3_path"], recipe["run"]["output_s3_path"]) == ("", "")


def test_own_data_comes_through_the_train_channel() -> None:
    made, recipe = request(task="gen_qa", dataset_uri="s3://incoming-bucket/evaluation/gen_qa.jsonl")
    source = made["InputDataConfig"][0]["DataSource"]["S3DataSource"]
    assert made["InputDataConfig"][0]["ChannelName"] == "train"
    assert (source["S3Uri"], source["S3DataType"]) == ("s3://incoming-bucket/evaluation/gen_qa.jsonl", "S3Prefix")
    assert recipe["evaluation"]["task"] == "gen_qa"


def test_a_subtask_and_overrides_reach_the_recipe_and_the_stage_name() -> None:
    _, recipe = request(subtask="anatomy", overrides={"max_new_tokens": 1024})
    assert recipe["evaluation"]["subtask"] == "anatomy"
    assert recipe["inference"]["max_new_tokens"] == 1024
    assert stage_name({"task": "mmlu", "subtask": "anatomy"}) == "evaluation-mmlu-anatomy"


@pytest.mark.parametrize("task", [{"subtask": "anatomi"}, {"task": "gen_qa"}, {"dataset_uri": "s3://b/gen_qa.jsonl"}])
def test_what_does_not_go_with_the_task_is_refused(task: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        request(**task)
