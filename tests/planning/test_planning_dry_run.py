"""A dry run writes what a run would send and what it may cost, and takes nothing."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml

from lambda_handlers.planning.planned_requests import MODEL_TO_COME, PRODUCTION_TO_COME
from lambda_handlers.protocol.errors import CostCeilingExceeded, InvalidRequest, RecipeInvalid
from lambda_handlers.training.continuing import CHECKPOINT_TO_COME
from tests.checks.checks_support import KEY, ROLE
from tests.planning.planning_world import CONFIG, World

RUN = "runs/run-1/dry-run"
P5 = 63.296


@pytest.fixture
def world() -> World:
    return World()


def written(world: World, name: str) -> Any:
    return json.loads(world.s3.objects["artifacts-bucket", f"{RUN}/{name}"])


def report(world: World) -> Any:
    return written(world, "report.json")


def config(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(CONFIG), **changes}


def test_it_takes_nothing_and_leaves_only_its_report_its_requests_and_their_recipes(world: World) -> None:
    before = set(world.s3.objects)
    planned = world.plan(dry_run=True)["plan"]
    assert (planned["decision"], planned["reason"]) == ("DRY_RUN", None)
    made = {key for _bucket, key in set(world.s3.objects) - before if not key.startswith("datasets/")}
    stages = ("training", "evaluation-mmlu", "import", "deployment")
    assert made == {
        f"{RUN}/report.json",
        *(f"{RUN}/requests/{stage}.json" for stage in stages),
        *(f"{RUN}/recipes/{stage}.yaml" for stage in stages[:2]),
    }
    assert planned["report_uri"] == f"s3://artifacts-bucket/{RUN}/report.json"
    assert [event["type"] for event in world.ledger.events] == ["run_checked"]
    assert list(world.control.items) == ["open-runs"]
    world.close("run-1", "DRY_RUN")
    assert world.plan("run-2")["plan"]["decision"] == "RUN"


def test_the_report_has_the_plan_its_cost_and_where_the_requests_are(world: World) -> None:
    world.quotas.values = {}
    planned = world.plan(dry_run=True)["plan"]
    told = report(world)
    assert told["plan"] == json.loads(json.dumps(planned))
    assert (told["problems"], told["warnings"]) == ([], planned["warnings"])
    assert len(told["warnings"]) == 1
    assert told["cost"] == planned["cost"]
    assert (told["cost"]["bound_usd"], told["cost"]["ceiling_usd"]) == (round(5 * 24 * P5, 2), None)
    assert [(each["stage"], each["operation"], each["stand_ins"]) for each in told["requests"]] == [
        ("training", "CreateTrainingJob", {}),
        ("evaluation-mmlu", "CreateTrainingJob", {"checkpoint": CHECKPOINT_TO_COME}),
        ("import", "CreateCustomModel", {"checkpoint": CHECKPOINT_TO_COME}),
        ("deployment", "CreateCustomModelDeployment", {"model": MODEL_TO_COME}),
    ]
    for each in told["requests"]:
        assert each["request_uri"] == f"s3://artifacts-bucket/{RUN}/requests/{each['stage']}.json"
    assert told["requests"][1]["recipe_uri"] == f"s3://artifacts-bucket/{RUN}/recipes/evaluation-mmlu.yaml"


def test_the_requests_are_those_of_the_jobs(world: World) -> None:
    split = {"train": 0.9, "validation": 0.1, "test": 0.0}
    world.plan(dry_run=True, config=config(split=split))
    training, evaluation = written(world, "requests/training.json"), written(world, "requests/evaluation-mmlu.json")
    assert training["RoleArn"] == ROLE
    assert training["ResourceConfig"]["InstanceCount"] == 4
    channels = {
        each["ChannelName"]: each["DataSource"]["S3DataSource"]["S3Uri"] for each in training["InputDataConfig"]
    }
    assert channels == {
        "train": "s3://prepared-bucket/runs/run-1/train.jsonl",
        "validation": "s3://prepared-bucket/runs/run-1/validation.jsonl",
        "recipe": "s3://artifacts-bucket/runs/run-1/training/recipe/",
    }
    assert ("s3:GetObject", "arn:aws:s3:::prepared-bucket/runs/run-1/validation.jsonl") in world.iam.asked
    assert training["HyperParameters"]["base_model"] == "nova-lite-2/prod"
    assert evaluation["HyperParameters"]["base_model_location"] == CHECKPOINT_TO_COME
    assert evaluation["OutputDataConfig"]["KmsKeyId"] == KEY
    recipe = yaml.safe_load(world.s3.objects["artifacts-bucket", f"{RUN}/recipes/evaluation-mmlu.yaml"])
    assert recipe["run"]["model_name_or_path"] == CHECKPOINT_TO_COME
    assert written(world, "requests/import.json")["modelSourceConfig"]["s3DataSource"]["s3Uri"] == CHECKPOINT_TO_COME
    assert written(world, "requests/deployment.json") == {"modelArn": MODEL_TO_COME}


def test_every_choice_of_instances_has_a_request_and_the_dearest_is_the_cost(world: World) -> None:
    choices = [{"instance_type": "ml.p5.48xlarge", "instance_count": 8}]
    changed = config()
    changed["training"]["alternatives"] = choices
    world.quotas.values["ml.p5.48xlarge for training job usage"] = 8.0
    world.plan(dry_run=True, config=changed)
    counts = [
        written(world, f"requests/{stage}.json")["ResourceConfig"]["InstanceCount"]
        for stage in ("training", "training-alternative-2")
    ]
    assert counts == [4, 8]
    assert report(world)["requests"][1]["only_if"] == "there is no capacity for the choice before it"
    [training, evaluation] = report(world)["cost"]["jobs"]
    assert (training["instance_count"], training["usd"]) == (8, 8 * 24 * P5)
    assert evaluation["stage"] == "evaluation-mmlu"


def test_a_further_stage_has_a_request_from_the_checkpoint_to_come_on_data_of_its_own(world: World) -> None:
    world.s3.put_object(Bucket="incoming-bucket", Key="uploads/more.jsonl", Body=b"{}")
    stage = {
        "name": "more",
        "method": "SFT_LORA",
        "dataset_uri": "s3://incoming-bucket/uploads/more.jsonl",
        "training": {**CONFIG["training"], "instance_count": 8},
        "overrides": {},
    }
    world.plan(dry_run=True, config=config(further_training=[stage]))
    request = written(world, "requests/training-more.json")
    assert request["HyperParameters"]["base_model_location"] == CHECKPOINT_TO_COME
    assert request["ResourceConfig"]["InstanceCount"] == 8
    assert request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] == (
        "s3://prepared-bucket/runs/run-1/more/train.jsonl"
    )
    told = report(world)
    assert [each["stage"] for each in told["requests"]][:3] == ["training", "training-more", "evaluation-mmlu"]
    assert told["requests"][1]["stand_ins"] == {"checkpoint": CHECKPOINT_TO_COME}
    assert told["cost"]["bound_usd"] == round((4 + 8 + 1) * 24 * P5, 2)


CHECKPOINT = "s3://customer-escrow-123456789012-smtj-0a1b2c3d/checkpoint-1"


@pytest.mark.parametrize(
    ("asked", "stages", "usd"),
    [
        ({"mode": "prepare"}, [], 0),
        ({"mode": "train"}, ["training"], 4 * 24 * P5),
        ({"mode": "evaluate", "model_path": CHECKPOINT, "dataset": None}, ["evaluation-mmlu"], 24 * P5),
    ],
)
def test_in_every_mode_the_requests_and_the_cost_are_those_of_the_mode(
    world: World, asked: dict[str, Any], stages: list[str], usd: float
) -> None:
    dataset = "s3://incoming-bucket/datasets/a.jsonl"
    raw = {key: value for key, value in {"dataset": dataset, **asked, "dry_run": True}.items() if value}
    world.plan(raw=raw)
    told = report(world)
    assert [each["stage"] for each in told["requests"]] == stages
    assert [each["stage"] for each in told["cost"]["jobs"]] == stages
    assert told["cost"]["bound_usd"] == round(usd, 2)
    if "evaluate" in asked.values():
        request = written(world, "requests/evaluation-mmlu.json")
        assert (request["HyperParameters"]["base_model_location"], told["requests"][0]["stand_ins"]) == (CHECKPOINT, {})


def test_without_a_deployment_nothing_is_imported(world: World) -> None:
    world.plan(dry_run=True, config=config(deployment=None))
    assert [each["stage"] for each in report(world)["requests"]] == ["training", "evaluation-mmlu"]


def test_problems_are_reported_and_there_is_no_request(world: World) -> None:
    with pytest.raises(RecipeInvalid) as caught:
        world.plan(dry_run=True, overrides={"max_stps": 5, "lr": "fast"})
    told = report(world)
    assert (told["problems"], told["warnings"]) == (list(caught.value.problems), [])
    assert len(told["problems"]) == 2
    assert (told["plan"], told["cost"], told["requests"]) == (None, None, [])
    with pytest.raises(RecipeInvalid):
        world.plan("run-2", overrides={"max_stps": 5})
    assert not any("run-2" in key for _bucket, key in world.s3.objects)


CEILING = round(5 * 24 * P5, 2)


def test_a_run_at_its_ceiling_starts_and_a_cent_below_it_does_not(world: World) -> None:
    cost = world.plan(config=config(cost_ceiling={"usd": CEILING, "prices": {}}))["plan"]["cost"]
    assert (cost["bound_usd"], cost["ceiling_usd"], cost["unpriced"]) == (CEILING, CEILING, [])
    with pytest.raises(CostCeilingExceeded) as caught:
        world.plan("run-2", data=b"{}\n", config=config(cost_ceiling={"usd": CEILING - 0.01, "prices": {}}))
    [problem] = caught.value.problems
    assert problem.startswith(f"a run may cost {CEILING:,.2f} USD, and cost_ceiling is {CEILING - 0.01:,.2f} USD (")
    assert "training 4 x ml.p5.48xlarge x 24 h x 63.296 USD = 6,076.42 USD" in problem


def test_the_ceiling_is_told_with_all_other_problems_in_its_place(world: World) -> None:
    world.quotas.values["ml.p5.48xlarge for training job usage"] = 2.0
    with pytest.raises(InvalidRequest) as caught:
        world.plan(config=config(cost_ceiling={"usd": 1, "prices": {}}), max_steps=5, overrides={"lr": "fast"})
    begins = ("max_steps: unknown key", "training: lr: expects", "a run may cost", 'The quota "ml.p5')
    problems = caught.value.problems
    assert [problem[: len(begin)] for problem, begin in zip(problems, begins, strict=True)] == list(begins)


def test_a_type_without_a_price_is_listed_and_needs_one_only_below_a_ceiling(world: World) -> None:
    changed = config()
    changed["training"]["instance_type"] = "ml.p5en.48xlarge"
    world.quotas.values["ml.p5en.48xlarge for training job usage"] = 8.0
    cost = world.plan(dry_run=True, config=changed)["plan"]["cost"]
    assert (cost["bound_usd"], cost["unpriced"]) == (None, ["ml.p5en.48xlarge"])
    with pytest.raises(CostCeilingExceeded, match=r"knows no price for ml\.p5en\.48xlarge: give it in prices"):
        world.plan("run-2", config={**changed, "cost_ceiling": {"usd": 1e6, "prices": {}}})
    priced = {"usd": 1e6, "prices": {"ml.p5en.48xlarge": 70}}
    bound = world.plan("run-3", config={**changed, "cost_ceiling": priced})["plan"]["cost"]["bound_usd"]
    assert bound == round(4 * 24 * 70 + 24 * P5, 2)


def test_models_that_the_gate_compares_with_are_counted(world: World) -> None:
    compared = [{**CONFIG["evaluation"][0], "baseline": model} for model in ("production", "base")]
    stages = ["training", "evaluation-mmlu", "evaluation-mmlu-production", "evaluation-mmlu-base"]
    cost = world.plan(dry_run=True, config=config(baselines=compared))["plan"]["cost"]
    assert [each["stage"] for each in cost["jobs"]] == stages
    assert cost["bound_usd"] == round(7 * 24 * P5, 2)
    told = {each["stage"]: each for each in report(world)["requests"]}
    assert list(told) == [*stages, "import", "deployment"]
    assert [told[stage]["only_if"] for stage in stages] == [None, None, *["its scores are not known"] * 2]
    production, base = (written(world, f"requests/{stage}.json") for stage in stages[2:])
    assert production["HyperParameters"]["base_model_location"] == PRODUCTION_TO_COME
    assert told[stages[2]]["stand_ins"] == {"production": PRODUCTION_TO_COME}
    assert base["HyperParameters"]["base_model"] == "nova-lite-2/prod"
    recipe = yaml.safe_load(world.s3.objects["artifacts-bucket", f"{RUN}/recipes/{stages[3]}.yaml"])
    assert recipe["run"]["model_name_or_path"] == "nova-lite-2/prod"
    assert base["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] == (
        "s3://artifacts-bucket/runs/run-1/evaluation-mmlu-base/recipe/"
    )


def test_nothing_that_an_execution_may_say_changes_what_is_counted(world: World) -> None:
    plain = world.plan(dry_run=True)["plan"]["cost"]
    own = {"run": {"replicas": 64}, "training_config": {"max_steps": 100_000}}
    assert world.plan("run-2", dry_run=True, recipe=own)["plan"]["cost"] == plain
    with pytest.raises(RecipeInvalid, match="replicas cannot be overridden"):
        world.plan("run-3", overrides={"replicas": 64})


def test_another_ceiling_is_not_another_input(world: World) -> None:
    world.plan("run-1")
    world.close("run-1", "SUCCEEDED")
    again = world.plan("run-2", config=config(cost_ceiling={"usd": 1e6, "prices": {}}))
    assert again["plan"]["decision"] == "SKIP"
