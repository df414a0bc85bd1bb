"""The evaluation stage: a branch per task and per model of comparison, and only what these need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Definition = dict[str, Any]
COMPARED = {
    "criteria": [
        {"kind": "not_worse_than_production", "task": "mmlu", "margin": 0.02},
        {"kind": "better_than_base", "task": "mmlu", "margin": 0.02},
        {"kind": "not_worse_than_production", "task": "gen_qa", "metric": "f1", "margin": 0.02},
    ]
}


@pytest.fixture(scope="module")
def compared(definition_of: Callable[[dict[str, Any]], Definition], entry: dict[str, Any]) -> Definition:
    return definition_of({**entry, "gate": COMPARED})


def branches(definition: Definition) -> dict[str, Definition]:
    return {branch["StartAt"]: branch["States"] for branch in definition["States"]["Evaluate"]["Branches"]}


def test_each_model_of_comparison_has_a_branch_of_its_own(compared: Definition) -> None:
    assert list(branches(compared)) == [
        "Evaluate-mmlu",
        "Evaluate-gen_qa",
        "FindBaseline-mmlu-production",
        "FindBaseline-mmlu-base",
        "FindBaseline-gen_qa-production",
    ]


def test_the_base_model_stands_for_production_only_where_it_is_not_measured_anyway(compared: Definition) -> None:
    found = {name: states[name]["Parameters"] for name, states in branches(compared).items() if "Find" in name}
    assert {name: parameters["base_measured"] for name, parameters in found.items()} == {
        "FindBaseline-mmlu-production": True,
        "FindBaseline-mmlu-base": True,
        "FindBaseline-gen_qa-production": False,
    }


def test_a_baseline_is_measured_known_or_none(compared: Definition) -> None:
    states = branches(compared)["FindBaseline-gen_qa-production"]
    choice = states["Baseline-gen_qa-production"]
    ways = {each["StringEquals"]: each["Next"] for each in choice["Choices"]}
    assert ways == {"MEASURE": "Evaluate-gen_qa-production", "KNOWN": "KnownScores-gen_qa-production"}
    assert states[choice["Default"]]["Result"] == {}
    assert states["KnownScores-gen_qa-production"]["InputPath"] == "$.baseline.record"


def test_candidate_and_production_are_asked_the_same(compared: Definition) -> None:
    own = branches(compared)["Evaluate-gen_qa"]["Evaluate-gen_qa"]["Parameters"]["Payload"]
    other = branches(compared)["FindBaseline-gen_qa-production"]["Evaluate-gen_qa-production"]["Parameters"]["Payload"]
    assert own["set.$"] == other["set.$"] == "$.evaluation_sets.gen_qa"
    assert {**own["task"], "baseline": "production"} == other["task"]
    assert own["subject"] == {"model": "candidate", "model_path.$": "$.checkpoint.uri"}
    assert other["subject.$"] == "$.baseline.subject"


def test_recipes_that_come_with_the_code_are_told_by_it(
    definition_of: Callable[[dict[str, Any]], Definition], entry: dict[str, Any]
) -> None:
    judge = {"task": "rubric_llm_judge", "dataset": "evaluation/pairs.jsonl"}
    made = branches(definition_of({**entry, "evaluation": [{"task": "mmlu"}, judge]}))
    configs = [
        made[f"Evaluate-{task}"][f"ReadScores-{task}"]["Parameters"]["config"] for task in ("mmlu", judge["task"])
    ]
    assert ["code_version" in config for config in configs] == [False, True]


def test_the_plan_knows_of_every_job(compared: Definition) -> None:
    config = compared["States"]["PlanRun"]["Parameters"]["config"]
    assert [(each["task"], each["baseline"]) for each in config["baselines"]] == [
        ("mmlu", "production"),
        ("mmlu", "base"),
        ("gen_qa", "production"),
    ]


def test_without_data_of_ones_own_nothing_is_frozen(
    definition_of: Callable[[dict[str, Any]], Definition], entry: dict[str, Any]
) -> None:
    definition = definition_of({**entry, "evaluation": [{"task": "mmlu"}]})
    assert "FreezeEvaluationSets" not in definition["States"]
    assert list(branches(definition)) == ["Evaluate-mmlu"]
