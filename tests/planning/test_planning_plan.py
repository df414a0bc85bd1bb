"""A plan checks everything, takes the lock, and holds nothing when it decides to skip."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import pytest
import yaml

from lambda_handlers.protocol import runs
from lambda_handlers.protocol.errors import (
    InvalidRequest,
    QuotaExceeded,
    RecipeInvalid,
    TransientServiceError,
    UnsupportedCombination,
)
from lambda_handlers.protocol.summary import summarize
from tests.checks.checks_support import KEY, ROLE, refusal
from tests.planning.planning_world import CONFIG, ROW, World


@pytest.fixture
def world() -> World:
    return World()


def test_a_plan_pins_the_data_and_writes_the_recipe(world: World) -> None:
    planned = world.plan(overrides={"lr": 2e-5}, hub_content_version="1.0.20")
    text = world.recipe("run-1")
    recipe = yaml.safe_load(text)
    assert planned["run"] == {
        "id": "run-1",
        "execution_arn": "arn:aws:states:us-east-1:123456789012:execution:demo:run-1",
        "state_machine_arn": "arn:aws:states:us-east-1:123456789012:stateMachine:demo",
        "started_at": "2026-01-01T00:00:00Z",
        "lock_generation": 1,
        "resumes": [],
    }
    assert planned["plan"]["decision"] == "RUN"
    assert planned["plan"]["dataset"]["sha256"] == hashlib.sha256(ROW).hexdigest()
    assert planned["plan"]["overrides"] == {"max_steps": 50, "lr": 2e-5}
    training = planned["plan"]["training"]
    assert training["recipe_prefix_uri"] == "s3://artifacts-bucket/runs/run-1/training/recipe/"
    assert training["recipe_sha256"] == hashlib.sha256(text).hexdigest()
    assert training["image_uri"].endswith("nova-fine-tune-repo:SM-TJ-SFT-V2-latest")
    assert training["hub_content_version"] == "1.0.20"
    assert recipe["training_config"]["max_steps"] == 50
    assert recipe["training_config"]["optim_config"]["lr"] == 2e-5
    assert recipe["run"]["data_s3_path"] == "s3://prepared-bucket/runs/run-1/train.jsonl"
    assert recipe["run"]["replicas"] == 4


def test_the_start_is_recorded_and_nobody_is_believed_to_be_who_they_say(world: World) -> None:
    trigger = {"name": "Data", "kind": "dataset", "id": "v1", "at": "2026-01-01T00:00:00Z", "count": 1}
    world.plan(requested_by="the boss", reason="because", trigger=trigger)
    [event] = world.ledger.events
    assert (event["type"], event["event_id"], event["run_id"]) == ("run_started", "run-started", "run-1")
    assert event["detail"]["asked"] == {
        "requester": "unknown",
        "requested_by": "the boss",
        "reason": "because",
        "trigger": trigger,
    }
    assert event["detail"]["config"] == CONFIG


def test_a_repeated_plan_is_the_same_plan(world: World) -> None:
    assert world.plan() == world.plan()


def test_the_same_input_is_skipped_once_it_has_succeeded(world: World) -> None:
    world.plan("run-1")
    world.close("run-1", "SUCCEEDED")
    again = world.plan("run-2")
    assert again["plan"]["decision"] == "SKIP"
    assert "run-1 has already succeeded" in again["plan"]["reason"]
    assert "turned_away" not in summarize(again)
    assert again["run"]["lock_generation"] == 0
    assert "run-2" in runs.open_runs(world.control)  # until it is closed, so that the reconciler knows of it
    assert world.ledger.events[-1]["type"] == "run_skipped"


def test_force_runs_it_again(world: World) -> None:
    world.plan("run-1")
    world.close("run-1", "SUCCEEDED")
    assert world.plan("run-2", force=True)["plan"]["decision"] == "RUN"


@pytest.mark.parametrize("change", ["data", "overrides", "code", "gate"])
def test_another_input_is_not_a_duplicate(world: World, change: str) -> None:
    world.plan("run-1")
    world.close("run-1", "SUCCEEDED")
    config = copy.deepcopy(CONFIG)
    if change == "code":
        config["code_version"] = "c2"
    if change == "gate":
        config["gate"]["criteria"][0]["floor"] = 0.6
    asked = {"overrides": {"max_steps": 60}} if change == "overrides" else {}
    planned = world.plan("run-2", config=config, data=ROW * 2 if change == "data" else ROW, **asked)
    assert planned["plan"]["decision"] == "RUN"


def test_a_failed_run_does_not_block_its_input(world: World) -> None:
    world.plan("run-1")
    world.close("run-1", "FAILED")
    assert world.plan("run-2")["plan"]["decision"] == "RUN"


def test_a_run_is_skipped_while_another_holds_the_lock_and_leaves_its_input_free(world: World) -> None:
    world.plan("run-1")
    skipped = world.plan("run-2", data=ROW * 2)
    assert skipped["plan"]["decision"] == "SKIP"
    assert "run-1 is in progress" in skipped["plan"]["reason"]
    assert summarize(skipped)["turned_away"]  # what started it can start it again
    world.close("run-1", "SUCCEEDED")
    assert world.plan("run-3", data=ROW * 2)["run"]["lock_generation"] == 2


def test_a_forced_run_that_is_skipped_leaves_the_earlier_success_in_force(world: World) -> None:
    world.plan("run-1")
    world.close("run-1", "SUCCEEDED")
    world.plan("run-2", data=ROW * 2)
    assert world.plan("run-3", force=True)["plan"]["decision"] == "SKIP"
    world.close("run-2", "SUCCEEDED")
    assert "run-1 has already succeeded" in world.plan("run-4")["plan"]["reason"]


def refused(world: World, **given: Any) -> tuple[type[Exception], list[str]]:
    """Return the class and the problems of a run that is not planned; nothing is taken, nothing is recorded."""
    with pytest.raises((InvalidRequest, UnsupportedCombination, RecipeInvalid, QuotaExceeded)) as caught:
        world.plan(**given)
    assert world.control.items == {}
    assert world.ledger.events == []
    return caught.type, list(caught.value.problems)


EVALUATION = {**CONFIG["evaluation"][0], "task": "gen_qa"}


@pytest.mark.parametrize(
    ("error", "words", "asked", "config"),
    [
        (InvalidRequest, "mode: received", {"mode": "deplyo"}, {}),
        (RecipeInvalid, "training: max_stps is not a value", {"overrides": {"max_stps": 5}}, {}),
        (RecipeInvalid, "has no content", {"hub_content_version": "9.9.9"}, {}),
        (UnsupportedCombination, "HyperPod", {}, {"method": "CPT", "deployment": None}),
        (UnsupportedCombination, "Unknown method 'SFT_LORE'", {}, {"method": "SFT_LORE"}),
        (UnsupportedCombination, "Unknown model", {}, {"model": "NOVA_LIGHT"}),
        (InvalidRequest, "evaluation-gen_qa: Evaluation task gen_qa needs a dataset", {}, {"evaluation": [EVALUATION]}),
        (
            RecipeInvalid,
            "evaluation-mmlu: max_tokens is not",
            {},
            {"evaluation": [{**EVALUATION, "task": "mmlu", "overrides": {"max_tokens": 1}}]},
        ),
        (
            InvalidRequest,
            "training: max_runtime_seconds is 2505600; allowed: 1 to 2419200 seconds",
            {},
            {"training": {**CONFIG["training"], "max_runtime_seconds": 29 * 86400}},
        ),
        (
            QuotaExceeded,
            'The quota "ml.p5.48xlarge for training job usage" (L-2) of this account is 8, and the run needs 10',
            {},
            {"evaluation": [{**EVALUATION, "task": task, "instance_count": 5} for task in ("mmlu", "gpqa")]},
        ),
    ],
)
def test_one_mistake_is_one_problem(
    world: World, error: type[Exception], words: str, asked: dict[str, Any], config: dict[str, Any]
) -> None:
    raised, [problem] = refused(world, config={**CONFIG, **config}, **asked)
    assert raised is error
    assert words in problem


def test_mistakes_of_every_kind_are_told_at_once_in_a_set_order(world: World) -> None:
    world.kms.metadata["KeyState"] = "Disabled"
    world.quotas.values["ml.p5.48xlarge for training job usage"] = 2.0
    config = {
        **CONFIG,
        "deployment": {"target": "BEDROCK_OD"},
        "evaluation": [{**EVALUATION, "overrides": {"max_tokens": 1}}, {**EVALUATION, "task": "llm_judge"}],
    }
    asked = {"dataset": "s3://incoming-bucket/datasets/a.txt", "overrides": {"lr": "fast"}, "hub_content_vers": "1"}
    raised, problems = refused(world, config=config, **asked)
    begins = [
        "hub_content_vers: unknown key",
        "The dataset s3://incoming-bucket/datasets/a.txt has no name that tells its format",
        "evaluation-gen_qa: Evaluation task gen_qa needs a dataset",
        "evaluation-llm_judge: Evaluation task llm_judge needs a dataset",
        f"The KMS key {KEY} is Disabled",
        "Evaluation task llm_judge does not exist for NOVA_LITE_2",
        "training: lr: expects a number",
        "evaluation-gen_qa: max_tokens is not a value",
        'The quota "ml.p5.48xlarge for training job usage"',
    ]
    assert raised is InvalidRequest
    assert len(problems) == len(begins)
    assert all(problem.startswith(begin) for problem, begin in zip(problems, begins, strict=True)), problems


def test_an_input_that_is_no_object_hides_no_other_problem(world: World) -> None:
    world.iam.trust = []
    raised, problems = refused(world, raw=5)
    assert raised is InvalidRequest
    assert problems == [
        "input: received 5; allowed: an object",
        f"The execution role {ROLE} cannot be taken by sagemaker.amazonaws.com: let its trust policy allow that "
        "service sts:AssumeRole for account 123456789012.",
    ]


def test_what_could_not_be_checked_is_in_plan_and_ledger(world: World) -> None:
    world.quotas.values = {}
    planned = world.plan()
    [warning] = planned["plan"]["warnings"]
    assert warning == (
        'The quota "ml.p5.48xlarge for training job usage" was not checked: Service Quotas lists none of that name.'
    )
    assert world.ledger.events[-1]["detail"]["plan"]["warnings"] == [warning]


def test_the_role_is_asked_for_what_the_run_will_do(world: World) -> None:
    gold = {**EVALUATION, "dataset_uri": "s3://incoming-bucket/evaluation/gold.jsonl"}
    world.s3.put_object(Bucket="incoming-bucket", Key="evaluation/gold.jsonl", Body=b"{}")
    assert world.plan(config={**CONFIG, "evaluation": [gold]})["plan"]["warnings"] == []
    assert {
        (action, resource.split(":::")[-1]) for action, resource in world.iam.asked if action.startswith("s3:")
    } == {
        ("s3:GetObject", "prepared-bucket/runs/run-1/train.jsonl"),
        ("s3:GetObject", "artifacts-bucket/runs/run-1/training/recipe/recipe.yaml"),
        ("s3:GetObject", "artifacts-bucket/runs/run-1/evaluation-gen_qa/recipe/recipe.yaml"),
        ("s3:GetObject", "prepared-bucket/runs/run-1/evaluation-sets/gen_qa/gen_qa.jsonl"),
        ("s3:ListBucket", "prepared-bucket"),
        ("s3:ListBucket", "artifacts-bucket"),
        ("s3:PutObject", "artifacts-bucket/runs/run-1/jobs/output.tar.gz"),
    }
    repositories = {
        resource.rsplit(":", 1)[-1] for action, resource in world.iam.asked if action == "ecr:BatchGetImage"
    }
    assert repositories == {"repository/nova-fine-tune-repo", "repository/nova-evaluation-repo"}
    assert {resource for action, resource in world.iam.asked if action.startswith("kms:")} == {KEY}


def test_a_service_that_cannot_answer_now_is_asked_again_later(world: World) -> None:
    world.iam.errors["GetRole"] = refusal("Throttling", "GetRole")
    with pytest.raises(TransientServiceError):
        world.plan()


def test_a_dry_run_runs_beside_another_run_and_after_one_that_succeeded(world: World) -> None:
    world.plan("run-1")
    assert world.plan("run-2", dry_run=True)["plan"]["decision"] == "DRY_RUN"
    world.close("run-1", "SUCCEEDED")
    world.close("run-2", "DRY_RUN")
    assert world.plan("run-3", dry_run=True)["plan"]["decision"] == "DRY_RUN"
    assert world.plan("run-4")["plan"]["decision"] == "SKIP"


OWN = {"training_config": {"max_steps": 70, "optim_config": {"lr": "2e-5"}, "an_idea": 7}}
OWN_URI = "s3://incoming-bucket/uploads/recipe.yaml"


@pytest.mark.parametrize("recipe", [OWN, OWN_URI])
def test_a_recipe_of_ones_own_is_trained_by_and_what_the_hub_does_not_know_is_a_warning(
    world: World, recipe: Any
) -> None:
    world.s3.put_object(Bucket="incoming-bucket", Key="uploads/recipe.yaml", Body=yaml.safe_dump(OWN).encode())
    config = {**CONFIG, "overrides": {}}
    plan = world.plan(recipe=recipe, config=config)["plan"]
    written = yaml.safe_load(world.recipe("run-1"))["training_config"]
    assert (written["max_steps"], written["optim_config"]["lr"], written["an_idea"]) == (70, 2e-5, 7)
    [warning] = plan["warnings"]
    assert "an_idea" in warning
    assert plan["own_recipe"] == (recipe if recipe == OWN_URI else "given in the input")
    world.close("run-1", "SUCCEEDED")
    assert world.plan("run-2", config=config)["plan"]["decision"] == "RUN"  # another recipe is another input


def test_overrides_of_the_run_come_before_its_own_recipe(world: World) -> None:
    world.plan(recipe=OWN, overrides={"max_steps": 80})
    assert yaml.safe_load(world.recipe("run-1"))["training_config"]["max_steps"] == 80


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"- a\n", "mapping"),
        (b"a: 1\na: 2\n", "twice"),
        (b"training_config: {max_steps: many}\n", "recipe.yaml: training_config.max_steps: expects an integer"),
    ],
)
def test_a_recipe_that_cannot_be_used_is_one_problem_beside_the_others(world: World, body: bytes, words: str) -> None:
    world.s3.put_object(Bucket="incoming-bucket", Key="uploads/recipe.yaml", Body=body)
    world.kms.metadata["KeyState"] = "Disabled"
    raised, problems = refused(world, recipe=OWN_URI, config={**CONFIG, "overrides": {}})
    assert raised is InvalidRequest
    assert [problems[0].startswith("The KMS key"), words in problems[1], len(problems)] == [True, True, 2], problems


QUEUE = {**CONFIG, "concurrency": "QUEUE", "queue_deadline_seconds": 3600}


def test_a_run_that_is_to_wait_is_planned_twice_and_works_the_second_time(world: World) -> None:
    world.plan("run-1", config=QUEUE)
    waiting = world.plan("run-2", config=QUEUE, data=ROW * 2)
    assert (waiting["plan"]["decision"], waiting["run"]["lock_generation"]) == ("QUEUE", 0)
    assert waiting["plan"]["reason"] == "Run run-1 is in progress; this run waits for its turn, at place 1."
    assert [event["type"] for event in world.ledger.events] == ["run_started", "run_queued"]
    with pytest.raises(KeyError):
        world.recipe("run-2")
    world.close("run-1", "SUCCEEDED")
    begun = world.plan("run-2", config=QUEUE, data=ROW * 3)
    assert (begun["plan"]["decision"], begun["run"]["lock_generation"]) == ("RUN", 2)
    assert begun["plan"]["dataset"]["sha256"] == hashlib.sha256(ROW * 3).hexdigest()
    assert world.recipe("run-2")


def test_the_input_of_a_run_that_waits_is_claimed(world: World) -> None:
    world.plan("run-1", config=QUEUE)
    world.plan("run-2", config=QUEUE, data=ROW * 2)
    again = world.plan("run-3", config=QUEUE, data=ROW * 2)
    assert (again["plan"]["decision"], again["plan"]["reason"]) == (
        "SKIP",
        "Run run-2 is in progress with the same input.",
    )


def test_how_runs_wait_is_no_part_of_the_input(world: World) -> None:
    world.plan("run-1")
    world.close("run-1", "SUCCEEDED")
    assert "run-1 has already succeeded" in world.plan("run-2", config=QUEUE)["plan"]["reason"]
