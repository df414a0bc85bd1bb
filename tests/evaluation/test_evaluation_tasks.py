"""Every task for every model: the recipe and request where it is supported, the reason where it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lambda_handlers.catalog import EVALUATION_TASKS, MODELS, combinations
from tests.evaluation.evaluation_support import CHECKPOINT, request

SCORER = "arn:aws:lambda:us-east-1:111122223333:function:scorer"
DATA = "s3://prepared/runs/run-1/evaluation-sets/set.jsonl"
IMAGE = "708977205387.dkr.ecr.us-east-1.amazonaws.com/nova-evaluation-repo:SM-TJ-Eval-V2-latest"
ORACLE = Path(__file__).resolve().parents[1] / "recipes" / "oracle"
PROCESSOR = {
    "function_arn": SCORER,
    "lambda_type": "rft",
    "preprocessing": False,
    "postprocessing": True,
    "aggregation": "average",
}

UNSUPPORTED = {
    ("NOVA_MICRO", "mmmu"): "reads only text",
    ("NOVA_MICRO", "rubric_llm_judge"): "Use llm_judge.",
    ("NOVA_LITE", "rubric_llm_judge"): "Use llm_judge.",
    ("NOVA_PRO", "rubric_llm_judge"): "Use llm_judge.",
    ("NOVA_LITE_2", "llm_judge"): "Use rubric_llm_judge.",
}
ALL = [(model, task) for model in MODELS for task in EVALUATION_TASKS]
SUPPORTED = [each for each in ALL if each not in UNSUPPORTED]


def settings(task: str) -> dict[str, Any]:
    known = EVALUATION_TASKS[task]
    data = {"dataset_uri": DATA} if known.takes_data else {}
    return {"task": task, **data, **({"reward_function": SCORER} if known.takes_reward else {})}


@pytest.mark.parametrize(("model", "task"), SUPPORTED)
def test_a_supported_task_has_a_recipe_and_a_request(model: str, task: str) -> None:
    made, recipe = request(model=model, **settings(task))
    known, chosen = EVALUATION_TASKS[task], MODELS[model]
    asked = {"task": task, "strategy": known.strategy, "metric": known.metric}
    assert {name: recipe["evaluation"][name] for name in asked} == asked
    assert (recipe["run"]["model_type"], recipe["run"]["model_name_or_path"]) == (chosen.model_type, CHECKPOINT)
    assert made["AlgorithmSpecification"]["TrainingImage"] == IMAGE
    channels = {each["ChannelName"]: each["DataSource"]["S3DataSource"] for each in made["InputDataConfig"]}
    assert list(channels) == (["train", "recipe"] if known.takes_data else ["recipe"])
    if known.takes_data:
        assert (channels["train"]["S3Uri"], channels["train"]["S3DataType"]) == (DATA, "S3Prefix")
    if known.takes_reward:
        assert recipe["rl_env"] == {"reward_lambda_arn": SCORER}


@pytest.mark.parametrize(("model", "task"), UNSUPPORTED)
def test_an_unsupported_task_is_refused_with_the_reason(model: str, task: str) -> None:
    [problem] = combinations.check(model, "SFT_LORA", "SMTJ", None, [task])
    assert UNSUPPORTED[model, task] in problem


@pytest.mark.parametrize(("model", "task"), SUPPORTED)
def test_what_is_supported_is_not_refused(model: str, task: str) -> None:
    assert combinations.check(model, "SFT_LORA", "SMTJ", None, [task]) == []


def oracle(name: str) -> dict[str, Any]:
    return dict(json.loads((ORACLE / f"{name}.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("eval-mmlu", {"task": "mmlu"}),
        ("eval-byod-lambda", {"task": "gen_qa", "dataset_uri": "s3://my-data/gen_qa.jsonl", "processor": PROCESSOR}),
        (
            "eval-rft",
            {
                "task": "rft_eval",
                "dataset_uri": "s3://my-data/rft.jsonl",
                "reward_function": "arn:aws:lambda:us-east-1:111122223333:function:SageMaker-reward",
            },
        ),
    ],
)
def test_the_request_is_that_of_the_sdk(name: str, task: dict[str, Any]) -> None:
    """Names, places and the model under evaluation are the run's own; everything else has to be equal."""
    theirs, (made, recipe) = oracle(name), request(**task)
    expected = yaml.safe_load(theirs["recipe"])
    for own in ("name", "model_name_or_path"):
        expected["run"][own] = recipe["run"][own]
    assert recipe == expected
    assert made["AlgorithmSpecification"] == theirs["request"]["AlgorithmSpecification"]
    data = [channel for channel in theirs["request"]["InputDataConfig"] if channel["ChannelName"] == "train"]
    assert made["InputDataConfig"][:-1] == data
    ours, wanted = dict(made["HyperParameters"]), dict(theirs["request"]["HyperParameters"])
    for parameters in (ours, wanted):
        for place in ("sagemaker_recipe_local_path", "base_model", "base_model_location"):
            parameters.pop(place, None)
    assert ours == wanted


@pytest.mark.parametrize("model", MODELS)
def test_a_processor_is_in_the_recipe_and_the_hyperparameters(model: str) -> None:
    processor = {
        "function_arn": SCORER,
        "lambda_type": "custom_metrics",
        "preprocessing": True,
        "postprocessing": True,
        "aggregation": "min",
    }
    made, recipe = request(model=model, **settings("gen_qa"), processor=processor)
    preset = {"preset_reward_function": ""} if MODELS[model].version == 2 else {}
    assert recipe["processor"] == preset | {
        "lambda_arn": SCORER,
        "lambda_type": "custom_metrics",
        "preprocessing": {"enabled": True},
        "postprocessing": {"enabled": True},
        "aggregation": "min",
    }
    assert made["HyperParameters"]["eval_lambda_arn"] == SCORER


@pytest.mark.parametrize("task", [name for name, known in EVALUATION_TASKS.items() if known.subtasks])
def test_every_subtask_reaches_the_recipe(task: str) -> None:
    for subtask in EVALUATION_TASKS[task].subtasks:
        _, recipe = request(task=task, subtask=subtask)
        assert recipe["evaluation"]["subtask"] == subtask
