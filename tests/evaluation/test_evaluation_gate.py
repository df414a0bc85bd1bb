"""The gate is closed unless every criterion holds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_handlers.evaluation import gate
from lambda_handlers.evaluation.gate import Criterion
from lambda_handlers.protocol.errors import InvalidRequest
from tests.training.training_support import RUN, Recorder

FLOOR = {"task": "mmlu", "metric": "accuracy", "floor": 0.5}


def decide(criteria: list[dict[str, Any]], evaluations: list[Any]) -> dict[str, Any]:
    return gate.decide([Criterion.parse(each) for each in criteria], evaluations).as_dict()


def scored(value: Any, task: str = "mmlu", **more: Any) -> dict[str, Any]:
    return {"task": task, "metrics": {"accuracy": value}, **more}


@pytest.mark.parametrize("value", [0.5, 0.71, 1])
def test_a_score_at_or_above_the_floor_passes(value: float) -> None:
    assert decide([FLOOR], [scored(value)]) == {
        "verdict": "PASSED",
        "criteria": [
            {
                "name": "mmlu.accuracy",
                "value": value,
                "threshold": 0.5,
                "passed": True,
                "reason": f"mmlu.accuracy {value:g} reaches the floor 0.5",
            }
        ],
        "sentence": f"Passed: mmlu.accuracy {value:g} reaches the floor 0.5.",
    }


def test_one_failed_criterion_fails_the_candidate_and_says_why() -> None:
    other = {"task": "gen_qa", "metric": "rouge1", "floor": 0.3}
    decision = decide([FLOOR, other], [scored(0.7), {"task": "gen_qa", "metrics": {"rouge1": 0.25}}])
    assert decision["verdict"] == "FAILED"
    assert [each["passed"] for each in decision["criteria"]] == [True, False]
    assert decision["sentence"] == "Failed 1 of 2 criteria: gen_qa.rouge1 0.25 is below the floor 0.3."


@pytest.mark.parametrize(
    ("evaluations", "reason"),
    [
        ([], "mmlu.accuracy cannot be decided: no evaluations of it are there"),
        ([None, "x"], "mmlu.accuracy cannot be decided: no evaluations of it are there"),
        ([scored(0.9, task="gpqa")], "mmlu.accuracy cannot be decided: no evaluations of it are there"),
        ([scored(0.9, subtask="anatomy")], "mmlu.accuracy cannot be decided: no evaluations of it are there"),
        ([scored(0.9), scored(0.1)], "mmlu.accuracy cannot be decided: 2 evaluations of it are there"),
        ([{"task": "mmlu"}], "mmlu.accuracy was not measured; metrics there: none"),
        ([{"task": "mmlu", "metrics": {"f1": 1.0}}], "mmlu.accuracy was not measured; metrics there: f1"),
        ([scored(float("nan"))], "mmlu.accuracy is nan, which is not a number"),
        ([scored(float("inf"))], "mmlu.accuracy is inf, which is not a number"),
        ([scored(True)], "mmlu.accuracy is True, which is not a number"),
        ([scored("0.9")], "mmlu.accuracy is '0.9', which is not a number"),
    ],
)
def test_a_score_that_is_not_there_never_passes(evaluations: list[Any], reason: str) -> None:
    decision = decide([FLOOR], evaluations)
    assert decision["verdict"] == "FAILED"
    assert decision["criteria"][0] == {
        "name": "mmlu.accuracy",
        "value": None,
        "threshold": 0.5,
        "passed": False,
        "reason": reason,
    }


def test_a_gate_without_criteria_is_an_error() -> None:
    with pytest.raises(InvalidRequest, match="no criteria"):
        decide([], [scored(1.0)])


@pytest.mark.parametrize("floor", [None, "0.5", True, float("nan"), float("-inf")])
def test_a_floor_that_is_no_number_is_an_error(floor: Any) -> None:
    with pytest.raises(InvalidRequest, match="floor for mmlu"):
        decide([{**FLOOR, "floor": floor}], [scored(1.0)])


def test_the_metric_is_the_tasks_own_by_default_and_a_subtask_is_told_apart() -> None:
    criterion = Criterion.parse({"task": "math", "metric": None, "subtask": "algebra", "floor": 0})
    assert criterion.name == "math.algebra.exact_match"


def test_the_decision_is_recorded() -> None:
    ledger = Recorder()
    decision = gate.decide_run({"run": RUN, "criteria": [FLOOR], "evaluations": [scored(0.4)]}, ledger=ledger)
    assert ledger.events == [
        {"run_id": "run-1", "event_id": "gate-decided", "type": "gate_decided", "detail": decision}
    ]


@given(st.lists(st.floats(-1, 2, allow_nan=False), min_size=1, max_size=4), st.floats(0, 1))
def test_a_candidate_passes_exactly_when_every_score_reaches_its_floor(values: list[float], floor: float) -> None:
    criteria = [
        {"task": "mmlu", "subtask": str(index), "metric": "accuracy", "floor": floor} for index in range(len(values))
    ]
    evaluations = [scored(value, subtask=str(index)) for index, value in enumerate(values)]
    verdict = decide(criteria, evaluations)["verdict"]
    assert (verdict == "PASSED") == all(value >= floor for value in values)
