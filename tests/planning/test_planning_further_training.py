"""The plan of a run with further training stages: all data and recipes are checked before the first job is bought."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import pytest
import yaml

from lambda_handlers.planning import dataset as datasets
from lambda_handlers.protocol.errors import InvalidRequest, RecipeInvalid, UnsupportedCombination, WorkflowError
from lambda_handlers.training.continuing import CHECKPOINT_TO_COME
from tests.planning.planning_world import CONFIG, World

MORE = b'{"question": "more", "answer": "of it"}\n'
URI = "s3://incoming-bucket/uploads/more.jsonl"
STAGE: dict[str, Any] = {
    "name": "more",
    "method": "SFT_LORA",
    "dataset_uri": URI,
    "training": {**CONFIG["training"], "instance_count": 2},
    "overrides": {"max_steps": 70},
    "columns": {},
    "system_prompt": None,
    "max_reject_ratio": 0.01,
}


@pytest.fixture
def world() -> World:
    made = World()
    made.s3.put_object(Bucket="incoming-bucket", Key="uploads/more.jsonl", Body=MORE)
    return made


def config(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(CONFIG), "further_training": [{**STAGE, **changes}]}


def recipe(world: World, folder: str) -> dict[str, Any]:
    return yaml.safe_load(world.s3.objects["artifacts-bucket", f"runs/run-1/{folder}/recipe/recipe.yaml"])  # type: ignore[no-any-return]


def refused(world: World, **given: Any) -> tuple[type[Exception], list[str]]:
    with pytest.raises(WorkflowError) as caught:
        world.plan(**given)
    assert world.control.items == {}
    return caught.type, list(caught.value.problems)


def test_the_plan_has_data_and_recipe_of_each_stage(world: World) -> None:
    plan = world.plan(config=config(), overrides={"lr": 2e-5})["plan"]
    planned = plan["further_training"]["more"]
    assert planned["dataset"]["sha256"] == hashlib.sha256(MORE).hexdigest()
    assert planned["recipe_prefix_uri"] == "s3://artifacts-bucket/runs/run-1/training-more/recipe/"
    place = "s3://artifacts-bucket/runs/run-1/training-more/planned/recipe/recipe.yaml"
    assert planned["planned_recipe_uri"] == place
    assert (planned["instance_count"], planned["alternatives"]) == (2, [])
    assert planned["hub_content_version"] == plan["training"]["hub_content_version"]
    written = world.s3.objects["artifacts-bucket", "runs/run-1/training-more/planned/recipe/recipe.yaml"]
    assert planned["recipe_sha256"] == hashlib.sha256(written).hexdigest()
    waiting, first = recipe(world, "training-more/planned"), recipe(world, "training")
    assert waiting["run"]["model_name_or_path"] == CHECKPOINT_TO_COME
    assert waiting["run"]["data_s3_path"] == "s3://prepared-bucket/runs/run-1/more/train.jsonl"
    assert (waiting["run"]["replicas"], waiting["training_config"]["max_steps"]) == (2, 70)
    # The input's overrides are of the first training.
    assert first["training_config"]["optim_config"]["lr"] == 2e-5
    assert waiting["training_config"]["optim_config"]["lr"] != 2e-5
    # Where the job will read, there is nothing before there is a checkpoint.
    assert ("artifacts-bucket", "runs/run-1/training-more/recipe/recipe.yaml") not in world.s3.objects


def test_without_stages_there_is_nothing_of_them(world: World) -> None:
    assert world.plan()["plan"]["further_training"] == {}


@pytest.mark.parametrize(
    ("error", "words", "changes"),
    [
        (InvalidRequest, "training-more: The dataset s3://incoming-bucket/uploads/more.txt has no name that tells", {
            "dataset_uri": "s3://incoming-bucket/uploads/more.txt"}),
        (RecipeInvalid, "training-more: max_stps is not a value of this recipe", {"overrides": {"max_stps": 5}}),
        (RecipeInvalid, "training-more: model_name_or_path cannot be overridden", {
            "overrides": {"model_name_or_path": "s3://customer-escrow-1-smtj-a/b"}}),
        (InvalidRequest, "training-more: RFT_LORA needs a reward_function", {"method": "RFT_LORA", "overrides": {}}),
        (UnsupportedCombination, "training-more: CPT runs only on SageMaker HyperPod", {"method": "CPT"}),
        (UnsupportedCombination, "training-more: Unknown method 'SFT_LORE'", {"method": "SFT_LORE"}),
        (InvalidRequest, "training-more: max_runtime_seconds is 2505600", {
            "training": {**CONFIG["training"], "max_runtime_seconds": 29 * 86400}}),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_stage_is_told_under_its_name(
    world: World, error: type[Exception], words: str, changes: dict[str, Any]
) -> None:
    raised, [problem] = refused(world, config=config(**changes))
    assert raised is error
    assert problem.startswith(words)


def test_problems_of_all_stages_are_told_at_once(world: World) -> None:
    given = config(overrides={"max_stps": 5})
    given["further_training"].append({**STAGE, "name": "last", "overrides": {"lr": "fast"}})
    _, problems = refused(world, config=given, overrides={"max_stps": 5})
    assert [problem.partition(":")[0] for problem in problems] == ["training", "training-more", "training-last"]


def test_a_stage_with_more_instances_than_the_quota_is_refused(world: World) -> None:
    _, [problem] = refused(world, config=config(training={**CONFIG["training"], "instance_count": 9}))
    assert "and the run needs 9 instances at once" in problem


def test_datasets_together_keep_to_the_limits_of_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "MOST_BYTES_CUT", 60)
    _, [problem] = refused(world, config=config())
    assert problem.startswith("The 2 datasets of the run have 0.0 GiB together")
    monkeypatch.undo()
    monkeypatch.setattr(datasets, "MOST_OBJECTS", 1)
    _, [problem] = refused(world, config=config())
    assert problem == "The 2 datasets of the run have 2 objects together; at most 1 can be prepared."


@pytest.mark.parametrize("change", ["data", "overrides"])
def test_a_change_of_a_stage_is_another_input(world: World, change: str) -> None:
    world.plan("run-1", config=config())
    world.close("run-1", "SUCCEEDED")
    assert world.plan("run-2", config=config())["plan"]["decision"] == "SKIP"
    given = config(overrides={"max_steps": 80}) if change == "overrides" else config()
    if change == "data":
        world.s3.put_object(Bucket="incoming-bucket", Key="uploads/more.jsonl", Body=MORE * 2)
    assert world.plan("run-3", config=given)["plan"]["decision"] == "RUN"


def test_a_run_that_only_prepares_plans_the_data_of_each_stage_and_no_recipe(world: World) -> None:
    planned = world.plan(config=config(), mode="prepare")["plan"]["further_training"]["more"]
    assert list(planned) == ["dataset"]


def test_the_role_has_to_read_the_data_of_each_stage(world: World) -> None:
    world.plan(config=config())
    prepared, artifacts = "arn:aws:s3:::prepared-bucket/runs/run-1", "arn:aws:s3:::artifacts-bucket/runs/run-1"
    for needed in (f"{prepared}/more/train.jsonl", f"{artifacts}/training-more/recipe/recipe.yaml"):
        assert ("s3:GetObject", needed) in world.iam.asked
