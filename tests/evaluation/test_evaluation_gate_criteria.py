"""Criteria are values that go to the functions and come back the same; what is not one is refused."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_handlers.catalog import EVALUATION_TASKS
from lambda_handlers.catalog.metrics import METRICS
from lambda_handlers.evaluation.gate import (
    BetterThanBase,
    Criterion,
    Floor,
    GeneralAbilityFloor,
    MinimumSamples,
    NotWorseThanProduction,
    needed_baselines,
    read_criteria,
)
from lambda_handlers.protocol.errors import InvalidRequest

EVERY: list[tuple[Criterion, dict[str, Any], str]] = [
    (
        Floor(task="mmlu", floor=0.5),
        {"kind": "floor", "task": "mmlu", "metric": None, "subtask": None, "floor": 0.5},
        "mmlu.accuracy",
    ),
    (
        NotWorseThanProduction(task="math", margin=0.02, subtask="algebra"),
        {
            "kind": "not_worse_than_production",
            "task": "math",
            "metric": None,
            "subtask": "algebra",
            "margin": 0.02,
            "confidence": 0.95,
        },
        "math.algebra.exact_match against production",
    ),
    (
        BetterThanBase(task="gen_qa", metric="bleu", margin=1, confidence=0.9),
        {
            "kind": "better_than_base",
            "task": "gen_qa",
            "metric": "bleu",
            "subtask": None,
            "margin": 1,
            "confidence": 0.9,
        },
        "gen_qa.bleu against base",
    ),
    (
        MinimumSamples(task="mmlu", samples=3, subtask="anatomy"),
        {"kind": "minimum_samples", "task": "mmlu", "samples": 3, "subtask": "anatomy"},
        "mmlu.anatomy samples",
    ),
    (
        GeneralAbilityFloor(task="mmlu", drop=0.03, against="production"),
        {"kind": "general_ability", "task": "mmlu", "drop": 0.03, "metric": None, "against": "production"},
        "mmlu.accuracy drop against production",
    ),
]


@pytest.mark.parametrize(("criterion", "config", "name"), EVERY)
def test_a_criterion_comes_back_as_it_went(criterion: Criterion, config: dict[str, Any], name: str) -> None:
    assert criterion.config() == config
    assert read_criteria([config]) == [criterion]
    assert criterion.name == name
    assert list(criterion.problems()) == []


def test_a_floor_is_what_is_meant_where_no_kind_is_named_and_the_defaults_are_those_of_the_values() -> None:
    assert read_criteria([{"task": "mmlu", "floor": 0}]) == [Floor(task="mmlu", floor=0)]
    assert read_criteria([{"kind": "general_ability", "task": "mmlu", "drop": 0}]) == [
        GeneralAbilityFloor(task="mmlu", drop=0, against="base")
    ]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("mmlu", "criterion 1 is 'mmlu': give task and floor, for instance"),
        (
            {"kind": "ceiling", "task": "mmlu"},
            "criterion 1 has the kind 'ceiling': use floor, not_worse_than_production",
        ),
        ({"kind": ["floor"], "task": "mmlu"}, "criterion 1 has the kind ['floor']: use floor"),
        ({"kind": None, "task": "mmlu"}, "criterion 1 has the kind None: use floor"),
        (
            {"task": "mmlu", "floor": 1, "margin": 2, "flor": 3},
            "criterion 1 (floor) has unknown keys flor, margin: use task, metric, subtask, floor",
        ),
        ({"kind": "floor"}, "criterion 1 (floor) lacks task, floor"),
        ({"task": "mmlu", "floor": None}, "criterion 1 (floor) lacks floor"),
        ({"task": 7, "floor": 1}, "criterion 1 (floor) has the task 7: use a name"),
        ({"task": "mmlu", "metric": 7, "floor": 1}, "criterion 1 (floor) has the metric 7: use a name"),
        ({"task": "mmlu", "subtask": 7, "floor": 1}, "criterion 1 (floor) has the subtask 7: use a name"),
        (
            {"kind": "general_ability", "task": "mmlu", "drop": 0, "against": 7},
            "criterion 1 (general_ability) has the against 7: use a name",
        ),
        (
            {"kind": "general_ability", "task": "mmlu", "drop": 0, "against": "gpt"},
            "criterion 1: against for mmlu.accuracy is 'gpt': use base or production",
        ),
        *(
            (
                {"task": "mmlu", "floor": value},
                f"criterion 1: floor for mmlu.accuracy is {value!r}, which is not a number",
            )
            for value in ("0.5", True, float("nan"), float("-inf"), 10**400)
        ),
        *(
            (
                {"kind": kind, "task": "mmlu", "margin": value},
                f"criterion 1: margin for mmlu.accuracy against {model} is {value!r}: use a number from 0 up",
            )
            for kind, model in (("not_worse_than_production", "production"), ("better_than_base", "base"))
            for value in (-0.001, float("nan"), float("inf"), "0")
        ),
        *(
            (
                {"kind": "better_than_base", "task": "mmlu", "margin": 0, "confidence": value},
                f"criterion 1: confidence for mmlu.accuracy against base is {value!r}: use a number from 0.5",
            )
            for value in (0, 0.4999, 1, 1.5, -1, float("nan"), True, "0.95", 95)
        ),
        *(
            (
                {"kind": "minimum_samples", "task": "mmlu", "samples": value},
                f"criterion 1: samples for mmlu is {value!r}: use a whole number from 1 up",
            )
            for value in (0, -1, 1.5, True, "100")
        ),
        *(
            (
                {"kind": "general_ability", "task": "mmlu", "drop": value},
                f"criterion 1: drop for mmlu.accuracy is {value!r}: use a number from 0 up",
            )
            for value in (-0.01, float("nan"), True)
        ),
    ],
)
def test_what_is_no_criterion_is_refused(settings: Any, problem: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_criteria([settings])
    [found] = caught.value.problems
    assert found.startswith(problem)


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "better_than_base", "task": "mmlu", "margin": 0, "confidence": 0.5},
        {"kind": "minimum_samples", "task": "mmlu", "samples": 1},
        {"kind": "general_ability", "task": "mmlu", "drop": 0},
        {"task": "mmlu", "floor": -1},
    ],
)
def test_the_edges_are_allowed(settings: dict[str, Any]) -> None:
    assert len(read_criteria([settings])) == 1


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_criteria([{"task": "mmlu", "floor": "x"}, {"task": "mmlu", "floor": 1}, {}, {"kind": "x"}])
    assert caught.value.message == "The criteria of the gate cannot be used."
    assert [each.split(" ", 2)[1].rstrip(":") for each in caught.value.problems] == ["1", "3", "4"]


def test_a_criterion_of_an_unknown_task_has_a_name_all_the_same() -> None:
    assert Floor(task="mlu", floor=0.5).name == "mlu"


def test_the_baselines_that_criteria_need() -> None:
    assert needed_baselines([criterion for criterion, _, _ in EVERY]) == {
        ("math", "algebra", "production"),
        ("gen_qa", None, "base"),
        ("mmlu", None, "production"),
    }


def test_every_task_has_its_metrics() -> None:
    assert set(METRICS) == set(EVALUATION_TASKS)
    for task in EVALUATION_TASKS.values():
        if task.metric != "all":
            [metric] = METRICS[task.name].values()
            assert (metric.name, metric.low, metric.high) == (task.metric, 0.0, 1.0)
    assert set(METRICS["gen_qa"]) == {*("rouge1", "rouge2", "rougeL", "em", "qem", "f1", "f1_score_quasi", "bleu")}
    assert (METRICS["gen_qa"]["bleu"].high, METRICS["gen_qa"]["f1"].high) == (100.0, 1.0)
    assert METRICS["gen_qa"]["bleu"].out_of_bounds(101)
    assert METRICS["gen_qa"]["bleu"].out_of_bounds(-1)
    assert not METRICS["llm_judge"]["score"].out_of_bounds(-1)
    assert [name for name, metrics in METRICS.items() if any(each.is_share for each in metrics.values())] == [
        *("mmlu", "mmlu_pro", "bbh", "gpqa", "ifeval", "mmmu")
    ]
    assert [name for name, metric in METRICS["rubric_llm_judge"].items() if not metric.more_is_better] == [
        "inference_error"
    ]
