"""What a run is about: the checkpoint it continues from, or the model it evaluates; and what each mode does."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
import yaml

from lambda_handlers.protocol.errors import InvalidRequest, RecipeInvalid, UnsupportedCombination
from lambda_handlers.protocol.ledger import RUN_CLOSED
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.recipes import hub_snapshot as hub
from tests.planning.planning_world import CONFIG, REGION, World

CHECKPOINT = "s3://customer-escrow-123456789012-smtj-abc/job-1/step_50"
ON_HYPERPOD = "s3://customer-escrow-123456789012-hp-abc/job-1/step_50"
SET = "s3://incoming-bucket/evaluation/gold.jsonl"
EVALUATE = {"raw": {"mode": "evaluate", "model": "base"}}


@pytest.fixture
def world() -> World:
    return World()


def trained(world: World, run: str = "run-0", *, uri: str = CHECKPOINT, platform: str = "SMTJ", **config: Any) -> None:
    """Leave what a run leaves that has trained."""
    world.ledger.append(
        run_id=run,
        event_id="run-started",
        type="run_started",
        detail={"plan": {"mode": "train"}, "config": {**CONFIG, **config}},
    )
    world.ledger.append(
        run_id=run,
        event_id="checkpoint-resolved",
        type="checkpoint_resolved",
        detail={"uri": uri, "platform": platform},
    )


def refused(world: World, **given: Any) -> list[str]:
    """Return the problems of a run that is not planned; nothing is taken, nothing written."""
    objects, events = set(world.s3.objects), len(world.ledger.events)
    with pytest.raises((InvalidRequest, UnsupportedCombination, RecipeInvalid)) as caught:
        world.plan(**given)
    assert {key for key in set(world.s3.objects) - objects if "datasets/" not in key[1]} == set()
    assert len(world.ledger.events) == events
    assert not {name for name in world.control.items if name != "pointer"}
    return list(caught.value.problems)


def model_of(world: World, run: str) -> str:
    return str(yaml.safe_load(world.recipe(run))["run"]["model_name_or_path"])


def test_a_run_continues_from_the_checkpoint_of_an_earlier_run(world: World) -> None:
    trained(world)
    plan = world.plan(base_run="run-0")["plan"]
    assert plan["start"] == {"model_path": CHECKPOINT, "base_run": "run-0"}
    assert plan["warnings"] == []
    assert model_of(world, "run-1") == CHECKPOINT
    assert world.ledger.events[-1]["detail"]["plan"]["start"]["base_run"] == "run-0"


def test_a_run_continues_from_a_checkpoint_and_is_told_what_its_address_does_not_tell(world: World) -> None:
    plan = world.plan(model_path=CHECKPOINT)["plan"]
    assert plan["start"] == {"model_path": CHECKPOINT, "base_run": None}
    [warning] = plan["warnings"]
    assert "has to be of NOVA_LITE_2, LoRA; give base_run instead" in warning
    assert model_of(world, "run-1") == CHECKPOINT


def test_a_run_that_starts_from_nothing_trains_the_published_model(world: World) -> None:
    assert world.plan()["plan"]["start"] == {"model_path": None, "base_run": None}
    assert model_of(world, "run-1") == "nova-lite-2/prod"


def test_of_several_training_stages_the_last_checkpoint_counts(world: World) -> None:
    trained(world)
    detail = {"uri": f"{CHECKPOINT}0", "platform": "SMTJ", "stage": "more"}
    world.ledger.append(run_id="run-0", event_id="checkpoint-resolved-more", type="checkpoint_resolved", detail=detail)
    assert world.plan(base_run="run-0")["plan"]["start"]["model_path"] == f"{CHECKPOINT}0"


@pytest.mark.parametrize("asked", [{}, {"raw": {"mode": "evaluate", "base_run": "run-0"}}])
def test_a_run_that_ended_before_its_last_training_stage_is_a_base_with_a_warning(
    world: World, asked: dict[str, Any]
) -> None:
    trained(world, further_training=[{"name": "more"}, {"name": "rl"}])
    detail = {"uri": f"{CHECKPOINT}0", "platform": "SMTJ", "stage": "more"}
    world.ledger.append(run_id="run-0", event_id="checkpoint-resolved-more", type="checkpoint_resolved", detail=detail)
    assert world.plan(**(asked or {"base_run": "run-0"}))["plan"]["warnings"] == [
        "base_run: run run-0 left no checkpoint of training-rl; the one taken is of training-more."
    ]


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (
            {"model": "NOVA_MICRO"},
            "base_run: run run-0 trained NOVA_MICRO, and this customization's model is NOVA_LITE_2",
        ),
        (
            {"method": "SFT_FULL"},
            "run-0 trained by SFT_FULL, which is full rank, and this customization trains by SFT_LORA",
        ),
        (
            {"uri": ON_HYPERPOD, "platform": "SMHP"},
            "is a checkpoint of HyperPod (SMHP), and the run's jobs are on training",
        ),
    ],
)
def test_a_run_of_another_model_rank_or_platform_is_no_base(world: World, before: dict[str, Any], words: str) -> None:
    trained(world, **before)
    [problem] = refused(world, base_run="run-0")
    assert words in problem


def test_everything_that_is_wrong_with_a_base_run_is_told_at_once(world: World) -> None:
    trained(world, model="NOVA_MICRO", method="SFT_FULL", uri=ON_HYPERPOD, platform="SMHP")
    problems = refused(world, base_run="run-0", overrides={"max_stps": 1})
    assert len(problems) == 4
    assert problems[3].startswith("training: max_stps is not a value")


def test_reinforcement_goes_on_from_supervised_fine_tuning_of_the_same_rank(world: World) -> None:
    trained(world)
    problems = refused(world, base_run="run-0", config={**CONFIG, "method": "RFT_LORA", "overrides": {"no": 1}})
    assert [problem.split(":")[0] for problem in problems] == ["training"] * 2


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([], "base_run: there is no run run-0 of this customization; `nova run list` shows those there are."),
        ([("run_started", {"plan": {"mode": "full"}, "config": CONFIG})], "its training has not ended yet"),
        (
            [("run_started", {"plan": {"mode": "prepare"}, "config": CONFIG}), (RUN_CLOSED, {"status": "SUCCEEDED"})],
            "it ran in mode prepare, which trains nothing",
        ),
        (
            [
                ("run_started", {"plan": {"mode": "full"}, "config": CONFIG}),
                (RUN_CLOSED, {"status": "FAILED", "error": "JobFailed"}),
            ],
            "it ended FAILED with JobFailed before its training had succeeded",
        ),
        (
            [("run_skipped", {"reason": "x"}), (RUN_CLOSED, {"status": "SKIPPED"})],
            "it ended SKIPPED before its training",
        ),
    ],
)
def test_a_run_without_a_checkpoint_is_no_base_and_the_reason_is_told(
    world: World, events: list[tuple[str, dict[str, Any]]], words: str
) -> None:
    for number, (kind, detail) in enumerate(events):
        world.ledger.append(run_id="run-0", event_id=str(number), type=kind, detail=detail)
    [problem] = refused(world, base_run="run-0")
    assert words in problem


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("s3://my-bucket/output/model.tar.gz", "allowed: a checkpoint as the manifest of its training job names it"),
        ("s3://customer-escrow-123456789012-smtj-abc", "model_path: received"),
        (ON_HYPERPOD, "a checkpoint can be used on its own platform only"),
    ],
)
@pytest.mark.parametrize("mode", ["train", "evaluate", "deploy"])
def test_an_address_that_no_checkpoint_has_or_one_of_another_platform_is_refused(
    world: World, uri: str, words: str, mode: str
) -> None:
    data = {"dataset": "s3://incoming-bucket/datasets/a.jsonl"} if mode == "train" else {}
    [problem] = refused(world, raw={"mode": mode, "model_path": uri, **data})
    assert words in problem


def test_an_escrow_bucket_without_a_platform_in_its_name_is_a_warning(world: World) -> None:
    [warning] = world.plan(model_path="s3://customer-escrow-123456789012/job/1")["plan"]["warnings"]
    assert "has to be of NOVA_LITE_2, LoRA, SMTJ" in warning


def test_the_same_data_from_another_model_or_in_another_mode_is_another_input(world: World) -> None:
    trained(world, "run-a")
    trained(world, "run-b", uri=f"{CHECKPOINT}1")
    asked: list[dict[str, Any]] = [
        {},
        {"base_run": "run-a"},
        {"base_run": "run-b"},
        {"mode": "train"},
        {"mode": "prepare"},
    ]
    for number, each in enumerate(asked):
        assert world.plan(f"run-{number}", **each)["plan"]["decision"] == "RUN", each
        world.close(f"run-{number}", "SUCCEEDED")
    for number, each in enumerate(asked):
        again = world.plan(f"again-{number}", **each)["plan"]
        assert f"Run run-{number} has already succeeded" in again["reason"], each
        world.close(f"again-{number}", "SKIPPED")


@pytest.mark.parametrize("asked", [{}, EVALUATE])
def test_an_evaluation_set_that_was_replaced_is_another_input(world: World, asked: dict[str, Any]) -> None:
    config = {**CONFIG, "evaluation": [{**CONFIG["evaluation"][0], "task": "gen_qa", "dataset_uri": SET}]}
    reasons = []
    for number, content in enumerate((b"old", b"old", b"new")):
        world.s3.put_object(Bucket="incoming-bucket", Key="evaluation/gold.jsonl", Body=content)
        plan = world.plan(f"run-{number}", config=config, **asked)["plan"]
        assert plan["evaluation_sets"] == {
            "gen_qa": {"uri": SET, "version_id": "v1", "sha256": sha256(content).hexdigest(), "bytes": 3}
        }
        reasons.append(plan["reason"])
        world.close(f"run-{number}", "SKIPPED" if plan["reason"] else "SUCCEEDED")
    assert reasons[::2] == [None, None]
    assert "run-0 has already succeeded" in reasons[1]


def test_an_evaluation_set_is_no_matter_to_a_run_that_evaluates_nothing(world: World) -> None:
    config = {**CONFIG, "evaluation": [{**CONFIG["evaluation"][0], "task": "gen_qa", "dataset_uri": SET}]}
    assert world.plan(config=config, mode="train")["plan"]["evaluation_sets"] == {}


def test_training_alone_is_another_input_even_where_nothing_is_evaluated(world: World) -> None:
    config = {**CONFIG, "evaluation": []}
    assert world.plan(config=config)["plan"]["decision"] == "RUN"
    world.close("run-1", "SUCCEEDED")
    assert world.plan("run-2", config=config, mode="train")["plan"]["decision"] == "RUN"


def test_a_checkpoint_and_the_run_that_left_it_are_the_same_start(world: World) -> None:
    trained(world)
    world.plan(base_run="run-0")
    world.close("run-1", "SUCCEEDED")
    assert world.plan("run-2", model_path=CHECKPOINT)["plan"]["decision"] == "SKIP"


def test_a_preparation_looks_at_data_alone(world: World) -> None:
    world.quotas.values = {}
    world.iam.trust = []
    planned = world.plan(mode="prepare", config={**CONFIG, "overrides": {"max_stps": 1}})
    plan = planned["plan"]
    assert (plan["decision"], plan["mode"], plan["training"], plan["warnings"]) == ("RUN", "prepare", None, [])
    assert plan["dataset"]["bytes"] > 0
    assert "checkpoint" not in planned
    assert world.iam.asked == []
    assert not any(key.startswith("runs/") for _, key in world.s3.objects)


def test_training_alone_asks_nothing_about_evaluations(world: World) -> None:
    config = {**CONFIG, "evaluation": [{**CONFIG["evaluation"][0], "overrides": {"no": 1}}]}
    assert refused(world, config=config)[0].startswith("evaluation-mmlu: no is not a value")
    world.iam.asked.clear()
    plan = world.plan(mode="train", config=config)["plan"]
    assert (plan["mode"], plan["training"]["instance_count"]) == ("train", 4)
    assert not any("runs/run-1/evaluation-mmlu" in resource for _, resource in world.iam.asked)


def test_the_base_model_is_evaluated_by_its_own_name(world: World) -> None:
    planned = world.plan(**EVALUATE)
    plan = planned["plan"]
    assert plan["model"] == {"kind": "base", "model_path": "nova-lite-2/prod", "run_id": None}
    assert planned["checkpoint"] == {"uri": "nova-lite-2/prod", "platform": "SMTJ"}
    assert (plan["dataset"], plan["training"], plan["mode"]) == (None, None, "evaluate")
    assert plan["hub"]["content_version"]
    asked = {resource.split(":::")[-1] for action, resource in world.iam.asked if action == "s3:GetObject"}
    assert asked == {"artifacts-bucket/runs/run-1/evaluation-mmlu/recipe/recipe.yaml"}


@pytest.mark.parametrize(
    ("asked", "kind", "run"),
    [
        ({"base_run": "run-0"}, "run", "run-0"),
        ({"model": "production"}, "production", "run-0"),
        ({"model_path": CHECKPOINT}, "checkpoint", None),
    ],
)
def test_a_run_production_or_a_checkpoint_is_evaluated_by_its_checkpoint(
    world: World, asked: dict[str, str], kind: str, run: str | None
) -> None:
    trained(world, method="SFT_FULL")  # what is evaluated may have any rank
    world.control.put(
        {
            "item": "pointer",
            "arn": "arn:d",
            "model_arn": "arn:m",
            "run_id": "run-0",
            "generation": 1,
            "moved_at": "now",
        },
        replacing=None,
    )
    planned = world.plan(raw={"mode": "evaluate", **asked})
    assert planned["plan"]["model"] == {"kind": kind, "model_path": CHECKPOINT, "run_id": run}
    assert planned["checkpoint"] == {"uri": CHECKPOINT, "platform": "SMTJ"}


def test_nothing_in_production_and_no_such_run_cannot_be_evaluated(world: World) -> None:
    assert Pointer(world.control).read() is None
    [problem] = refused(world, raw={"mode": "evaluate", "model": "production"})
    assert problem.startswith("model: production: nothing of this customization is in production yet")
    [problem] = refused(world, raw={"mode": "evaluate", "base_run": "run-0"})
    assert problem.startswith("base_run: there is no run run-0")


def test_an_evaluation_of_another_model_is_refused(world: World) -> None:
    trained(world, model="NOVA_MICRO")
    [problem] = refused(world, raw={"mode": "evaluate", "base_run": "run-0"})
    assert problem.startswith("base_run: run run-0 trained NOVA_MICRO")


def test_an_evaluation_without_tasks_is_refused(world: World) -> None:
    [problem] = refused(world, config={**CONFIG, "evaluation": []}, **EVALUATE)
    assert problem == "mode: evaluate, but this customization has no evaluation tasks; add one to it"


@pytest.mark.parametrize("asked", [{"model": "base"}, {"model_path": CHECKPOINT}])
def test_test_rows_are_those_of_a_run_that_is_known(world: World, asked: dict[str, str]) -> None:
    trained(world)
    held_out = {**CONFIG["evaluation"][0], "task": "gen_qa", "held_out": True}
    config = {**CONFIG, "evaluation": [held_out]}
    [problem] = refused(world, config=config, raw={"mode": "evaluate", **asked})
    assert problem.startswith("evaluation-gen_qa: its test rows are those of the run that trained the model")
    assert world.plan(config=config, raw={"mode": "evaluate", "base_run": "run-0"})["plan"]["decision"] == "RUN"


def test_an_evaluation_takes_the_lock_and_is_not_repeated(world: World) -> None:
    world.plan(**EVALUATE)
    assert world.plan("run-2")["plan"]["decision"] == "SKIP"
    world.close("run-2", "SKIPPED")
    world.close("run-1", "SUCCEEDED")
    assert "run-1 has already succeeded" in world.plan("run-3", **EVALUATE)["plan"]["reason"]
    world.close("run-3", "SKIPPED")
    other = world.plan("run-4", raw={"mode": "evaluate", "model_path": CHECKPOINT})
    assert other["plan"]["decision"] == "RUN"


@pytest.mark.parametrize(
    "asked", [{"mode": "prepare"}, {"mode": "train"}, {"mode": "train", "model_path": CHECKPOINT}, EVALUATE["raw"]]
)
def test_every_mode_can_be_tried(world: World, asked: dict[str, Any]) -> None:
    data = {} if asked["mode"] == "evaluate" else {"dataset": "s3://incoming-bucket/datasets/a.jsonl"}
    planned = world.plan(raw={**data, **asked, "dry_run": True})
    assert (planned["plan"]["decision"], planned["plan"]["mode"]) == ("DRY_RUN", asked["mode"])
    report = json.loads(world.s3.objects["artifacts-bucket", "runs/run-1/dry-run/report.json"])
    assert (report["problems"], report["plan"]["mode"]) == ([], asked["mode"])
    assert list(world.control.items) == ["open-runs"]
    assert not any("/hub/" in key for _, key in world.s3.objects)


def test_what_the_hub_gave_is_kept_with_the_run_byte_for_byte(world: World) -> None:
    hub_plan = world.plan()["plan"]["hub"]
    assert hub_plan["snapshot_uri"] == "s3://artifacts-bucket/runs/run-1/hub/"
    kept = {
        key.removeprefix("runs/run-1/hub/"): body
        for (_, key), body in world.s3.objects.items()
        if key.startswith("runs/run-1/hub/")
    }
    given = hub.hub_content("nova-textgeneration-lite-v2", REGION, None)
    assert kept.pop("document.json").decode() == given["HubContentDocument"]
    assert json.loads(kept.pop("content.json"))["HubContentVersion"] == hub_plan["content_version"]
    source = {key.rpartition("/")[2]: body for key, body in hub.objects().items()}
    assert len(kept) == 4  # a template and an override spec, of training and of the benchmark
    assert kept == {name: source[name] for name in kept}


def test_a_run_can_be_pinned_to_the_hub_content_of_another(world: World) -> None:
    version = world.plan()["plan"]["hub"]["content_version"]
    world.close("run-1", "FAILED")
    again = world.plan("run-2", hub_content_version=version)["plan"]
    assert (again["hub"]["content_version"], again["decision"]) == (version, "RUN")


def test_functions_and_places_of_output_cannot_be_overridden(world: World) -> None:
    overrides = {"reward_lambda_arn": "arn:x", "lambda_arn": "arn:y", "mlflow_tracking_uri": "arn:z"}
    problems = refused(world, overrides=overrides)
    assert [problem.partition(":")[2].split(":")[0] for problem in problems] == [
        f" {name} cannot be overridden" for name in overrides
    ]
