"""A plan has a recipe for each choice of instances, and says by name which choice cannot be had."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import pytest
import yaml

from lambda_handlers.protocol.errors import InvalidRequest, QuotaExceeded, RecipeInvalid, UnsupportedCombination
from tests.planning.planning_world import CONFIG, World

P5EN = {"instance_type": "ml.p5en.48xlarge", "instance_count": 8}
G5 = {"instance_type": "ml.g5.48xlarge", "instance_count": 1}


@pytest.fixture
def world() -> World:
    world = World()
    world.quotas.values["ml.p5en.48xlarge for training job usage"] = 8.0
    return world


def config_with(*alternatives: dict[str, Any], **settings: Any) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    config["training"] |= {"alternatives": list(alternatives), **settings}
    return config


def test_each_choice_has_its_own_recipe_in_its_own_folder(world: World) -> None:
    training = world.plan(config=config_with(P5EN))["plan"]["training"]
    [alternative] = training["alternatives"]
    assert (training["instance_type"], training["instance_count"]) == ("ml.p5.48xlarge", 4)
    assert (alternative["instance_type"], alternative["instance_count"]) == ("ml.p5en.48xlarge", 8)
    folder = "s3://artifacts-bucket/runs/run-1/training-alternative-2/recipe/"
    assert alternative["recipe_prefix_uri"] == folder
    text = world.s3.objects["artifacts-bucket", "runs/run-1/training-alternative-2/recipe/recipe.yaml"]
    assert alternative["recipe_sha256"] == hashlib.sha256(text).hexdigest() != training["recipe_sha256"]
    assert yaml.safe_load(text)["run"]["replicas"] == 8
    assert yaml.safe_load(world.recipe("run-1"))["run"]["replicas"] == 4


def test_without_alternatives_there_are_none(world: World) -> None:
    assert world.plan()["plan"]["training"]["alternatives"] == []


def test_another_alternative_is_another_input(world: World) -> None:
    world.plan("run-1", config=config_with(P5EN))
    world.close("run-1", "SUCCEEDED")
    assert world.plan("run-2", config=config_with(P5EN))["plan"]["decision"] == "SKIP"
    other = {**P5EN, "instance_count": 4}
    assert world.plan("run-2", config=config_with(other))["plan"]["decision"] == "RUN"


def test_an_alternative_without_a_recipe_is_an_error_that_names_it(world: World) -> None:
    with pytest.raises(UnsupportedCombination) as caught:
        world.plan(config=config_with(P5EN, G5))
    [problem] = caught.value.problems
    assert problem.startswith(
        "training on 1 x ml.g5.48xlarge: The recipes for SFT_LORA for NOVA_LITE_2 on SMTJ do not run"
    )


def test_what_is_wrong_with_every_choice_is_told_once(world: World) -> None:
    with pytest.raises(RecipeInvalid) as caught:
        world.plan(config=config_with(P5EN), overrides={"max_stps": 5})
    [problem] = caught.value.problems
    assert problem.startswith("training: max_stps is not a value")


def test_an_alternative_without_quota_is_a_warning_and_the_first_choice_an_error(world: World) -> None:
    world.quotas.values["ml.p5en.48xlarge for training job usage"] = 0.0
    [warning] = world.plan(config=config_with(P5EN))["plan"]["warnings"]
    assert warning.startswith('An alternative will be passed over. The quota "ml.p5en.48xlarge for training job usage"')
    first = {"instance_type": "ml.p5en.48xlarge", "instance_count": 4}
    with pytest.raises(QuotaExceeded) as caught:
        world.plan("run-2", config=config_with({"instance_type": "ml.p5.48xlarge", "instance_count": 4}, **first))
    assert "ml.p5en.48xlarge for training job usage" in caught.value.problems[0]


def test_a_count_that_the_service_would_refuse_names_the_choice(world: World) -> None:
    with pytest.raises(InvalidRequest) as caught:
        world.plan(config=config_with({**P5EN, "instance_count": 0}, max_runtime_seconds=0))
    assert "training, choice 2: instance_count is 0; allowed: 1 to 2147483647" in caught.value.problems
    assert len([each for each in caught.value.problems if "max_runtime_seconds" in each]) == 1


def test_evaluations_have_alternatives_of_their_own(world: World) -> None:
    config = copy.deepcopy(CONFIG)
    config["evaluation"][0]["alternatives"] = [{"instance_type": "ml.g5.48xlarge", "instance_count": 1}]
    with pytest.raises(UnsupportedCombination) as caught:
        world.plan(config=config)
    [problem] = caught.value.problems
    assert problem.startswith("evaluation-mmlu on 1 x ml.g5.48xlarge: ")


def test_the_role_is_asked_for_the_recipe_of_every_choice(world: World) -> None:
    config = config_with(P5EN)
    config["evaluation"][0]["alternatives"] = [{"instance_type": "ml.p5.48xlarge", "instance_count": 1}]
    world.plan(config=config)
    read = {resource.rpartition("runs/run-1/")[2] for action, resource in world.iam.asked if action == "s3:GetObject"}
    assert {each for each in read if each.endswith("/recipe/recipe.yaml")} == {
        f"{folder}/recipe/recipe.yaml"
        for folder in ("training", "training-alternative-2", "evaluation-mmlu", "evaluation-mmlu-alternative-2")
    }


def test_a_count_that_is_not_documented_is_a_warning_that_names_the_choice(world: World) -> None:
    plan = world.plan(config=config_with({**P5EN, "instance_count": 2}, instance_count=3))["plan"]
    documented = "is not documented for NOVA_LITE_2 training on SMTJ; documented counts: 4, 8, 16."
    assert plan["warnings"] == [
        f"training: 3 x ml.p5.48xlarge {documented}",
        f"training on 2 x ml.p5en.48xlarge: 2 x ml.p5en.48xlarge {documented}",
    ]
