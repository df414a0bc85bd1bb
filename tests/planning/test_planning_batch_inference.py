"""The plan of a batch inference: its data, its recipe, where its results may go, and what it may cost."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from lambda_handlers.planning.account_checks import all_jobs_of, jobs_of
from lambda_handlers.planning.modes import BATCH_INFERENCE, EVALUATE, FULL, TRAIN
from lambda_handlers.protocol.errors import CostCeilingExceeded, InvalidRequest
from tests.planning.planning_world import CONFIG, World

CHECKPOINT = "s3://customer-escrow-123456789012-smtj-abc/job-1/step_4"
DATASET = "s3://incoming-bucket/datasets/a.jsonl"
STAGE = "s3://incoming-bucket/uploads/answer.jsonl"
INFERENCE: dict[str, Any] = {
    "task": "gen_qa",
    "through": "training_job",
    "overrides": {"max_new_tokens": 1024},
    "data": {"columns": {}, "system_prompt": None, "max_reject_ratio": 0},
    "platform": "SMTJ",
    "instance_type": "ml.p5.48xlarge",
    "instance_count": 1,
    "max_runtime_seconds": 3600,
}
ASKED = {"mode": "batch_inference", "model_path": CHECKPOINT, "dataset": DATASET}


def config(**changes: Any) -> dict[str, Any]:
    return {**CONFIG, "batch_inference": {**INFERENCE, **changes}}


def refused(world: World, **asked: Any) -> list[str]:
    with pytest.raises(InvalidRequest) as error:
        world.plan(**asked)
    return list(error.value.problems)


@pytest.fixture
def world() -> World:
    return World()


def test_a_run_of_its_own_answers_the_dataset_of_its_input(world: World) -> None:
    planned = world.plan(config=config(), raw=ASKED)
    plan = planned["plan"]
    assert (plan["decision"], plan["mode"], plan["training"]) == ("RUN", "batch_inference", None)
    assert plan["batch_inference"] == {
        "dataset": plan["dataset"],
        "output_uri": "s3://artifacts-bucket/runs/run-1/inference/",
    }
    assert plan["batch_inference"]["dataset"]["uri"] == DATASET
    assert plan["model"] == {"kind": "checkpoint", "model_path": CHECKPOINT, "run_id": None}
    assert planned["checkpoint"] == {"uri": CHECKPOINT, "platform": "SMTJ"}
    assert [job["stage"] for job in plan["cost"]["jobs"]] == ["batch-inference"]


def test_a_dry_run_writes_the_request_on_the_rows_to_come(world: World) -> None:
    world.plan(config=config(), raw={**ASKED, "dry_run": True})
    place = "runs/run-1/dry-run"
    request = json.loads(world.s3.objects["artifacts-bucket", f"{place}/requests/batch-inference.json"])
    train = next(each for each in request["InputDataConfig"] if each["ChannelName"] == "train")
    rows = "s3://prepared-bucket/runs/run-1/batch-inference/gen_qa.jsonl"
    assert train["DataSource"]["S3DataSource"]["S3Uri"] == rows
    recipe = yaml.safe_load(world.s3.objects["artifacts-bucket", f"{place}/recipes/batch-inference.yaml"])
    assert (recipe["evaluation"]["task"], recipe["inference"]["max_new_tokens"]) == ("gen_qa", 1024)
    assert recipe["run"]["model_name_or_path"] == CHECKPOINT


@pytest.mark.parametrize(
    ("output", "folder"),
    [
        ("s3://artifacts-bucket/inference/mine", "s3://artifacts-bucket/inference/mine/"),
        ("s3://artifacts-bucket/inference/mine/", "s3://artifacts-bucket/inference/mine/"),
        ("s3://results-bucket", "s3://results-bucket/"),
        ("s3://results-bucket/a/b", "s3://results-bucket/a/b/"),
    ],
)
def test_results_go_where_the_input_says(world: World, output: str, folder: str) -> None:
    plan = world.plan(config=config(output_buckets=["results-bucket"]), raw={**ASKED, "output": output})["plan"]
    assert plan["batch_inference"]["output_uri"] == folder


@pytest.mark.parametrize(
    "output",
    [
        "s3://results-bucket-2/a",
        "s3://artifacts-bucket/runs/run-0/inference",
        "s3://artifacts-bucket/inferences",
        "s3://incoming-bucket/datasets/",
    ],
)
def test_results_go_nowhere_else(world: World, output: str) -> None:
    asked = {**ASKED, "output": output}
    [problem] = refused(world, config=config(output_buckets=["results-bucket"]), raw=asked)
    assert problem.startswith(
        f'output: received "{output}"; allowed: a folder under s3://artifacts-bucket/inference/, s3://results-bucket/;'
    )


def test_the_same_rows_are_not_answered_twice_but_for_another_place(world: World) -> None:
    world.plan(config=config(), raw=ASKED)
    world.close("run-1", "SUCCEEDED")
    assert world.plan("run-2", config=config(), raw=ASKED)["plan"]["decision"] == "SKIP"
    elsewhere = {**ASKED, "output": "s3://artifacts-bucket/inference/mine/"}
    assert world.plan("run-3", config=config(), raw=elsewhere)["plan"]["decision"] == "RUN"


def test_a_customization_without_batch_inference_says_so(world: World) -> None:
    [problem] = refused(world, raw=ASKED)
    assert problem == "mode: batch_inference, but this customization has no batch_inference; add it to its settings"


def test_rows_and_a_model_have_to_be_named(world: World) -> None:
    problems = refused(world, config=config(), raw={"mode": "batch_inference"})
    assert [problem.split(";")[0] for problem in problems] == ["dataset: missing", "model: missing"]


def test_a_place_for_results_goes_with_no_other_mode(world: World) -> None:
    asked = {"dataset": DATASET, "output": "s3://artifacts-bucket/inference/"}
    [problem] = refused(world, config=config(), raw=asked)
    assert problem == 'output: mode "full" does not use it; remove the key, or use mode batch_inference'


def test_an_override_that_is_wrong_is_told_under_its_stage(world: World) -> None:
    from lambda_handlers.protocol.errors import RecipeInvalid

    with pytest.raises(RecipeInvalid) as error:
        world.plan(config=config(overrides={"max_new_token": 1}), raw=ASKED)
    [problem] = error.value.problems
    assert problem.startswith("batch-inference: max_new_token")


def test_a_whole_run_answers_the_rows_of_its_settings(world: World) -> None:
    world.s3.put_object(Bucket="incoming-bucket", Key="uploads/answer.jsonl", Body=b'{"query": "a", "response": "b"}\n')
    planned = world.plan(config=config(dataset_uri=STAGE))["plan"]
    assert planned["batch_inference"]["dataset"]["uri"] == STAGE
    assert planned["dataset"]["uri"] == DATASET
    assert [job["stage"] for job in planned["cost"]["jobs"]] == ["training", "evaluation-mmlu", "batch-inference"]
    world.close("run-1", "SUCCEEDED")
    assert world.plan("run-2", config=config(dataset_uri=STAGE))["plan"]["decision"] == "SKIP"
    world.close("run-2", "SKIPPED")
    world.s3.put_object(Bucket="incoming-bucket", Key="uploads/answer.jsonl", Body=b'{"query": "c", "response": "d"}\n')
    assert world.plan("run-3", config=config(dataset_uri=STAGE))["plan"]["decision"] == "RUN"


def test_whole_runs_leave_batch_inference_out_where_it_has_no_data(world: World) -> None:
    assert world.plan(config=config())["plan"]["batch_inference"] is None
    stages = {mode.name: [stage for stage, _ in jobs_of(config(), mode)] for mode in (FULL, TRAIN, EVALUATE)}
    assert not any("batch-inference" in found for found in stages.values())
    assert [stage for stage, _ in jobs_of(config(), BATCH_INFERENCE)] == ["batch-inference"]
    assert [stage for stage, _ in all_jobs_of(config())] == ["training", "evaluation-mmlu", "batch-inference"]


def test_it_counts_against_the_ceiling(world: World) -> None:
    ceiling = {"usd": 1, "prices": {"ml.p5.48xlarge": 50.0}}
    with pytest.raises(CostCeilingExceeded, match="batch-inference 1 x"):
        world.plan(config={**config(), "cost_ceiling": ceiling}, raw=ASKED)
