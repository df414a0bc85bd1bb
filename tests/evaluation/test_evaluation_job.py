"""An evaluation job scores the run's checkpoint by one task."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_handlers.evaluation.stages import stage_name
from lambda_handlers.protocol.errors import InvalidRequest
from tests.evaluation.evaluation_support import CHECKPOINT, request


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
