"""The gate is closed unless every criterion holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from lambda_handlers.catalog.subtasks import MMLU
from lambda_handlers.evaluation import gate
from lambda_handlers.evaluation.gate import Gate
from lambda_handlers.protocol.errors import InvalidRequest
from lambda_handlers.protocol.pointer import Pointer
from tests.evaluation.gate_support import BETTER, FLOOR, GENERAL, NOT_WORSE, SAMPLES, decide, only, record
from tests.training.training_support import RUN, Recorder


@pytest.mark.parametrize("value", [0.5, 0.71, 1])
def test_a_score_at_or_above_the_floor_passes(value: float) -> None:
    assert decide([FLOOR], [record(value)]) == {
        "verdict": "PASSED",
        "open": False,
        "criteria": [
            {
                "name": "mmlu.accuracy",
                "kind": "floor",
                "value": value,
                "threshold": 0.5,
                "passed": True,
                "test": None,
                "reason": f"mmlu.accuracy {value:g} reaches the floor 0.5",
                "baseline": None,
            }
        ],
        "sentence": f"Passed: mmlu.accuracy {value:g} reaches the floor 0.5.",
    }


def test_a_score_below_the_floor_fails() -> None:
    found = only(decide([FLOOR], [record(0.4999)]))
    assert (found["value"], found["threshold"]) == (0.4999, 0.5)
    assert found["reason"] == "mmlu.accuracy 0.4999 is below the floor 0.5"


def test_one_failed_criterion_fails_the_candidate_and_says_why() -> None:
    other = {"task": "gen_qa", "metric": "rouge1", "floor": 0.3}
    decision = decide([FLOOR, other], [record(0.7), record(0.25, task="gen_qa", metric="rouge1")])
    assert decision["verdict"] == "FAILED"
    assert [each["passed"] for each in decision["criteria"]] == [True, False]
    assert decision["sentence"] == "Failed 1 of 2 criteria: gen_qa.rouge1 0.25 is below the floor 0.3."


def test_every_failure_is_told() -> None:
    assert decide([FLOOR, SAMPLES], [record(0.25, samples=10)])["sentence"] == (
        "Failed 2 of 2 criteria: mmlu.accuracy 0.25 is below the floor 0.5; mmlu samples: 10, fewer than 500."
    )


NONE = "mmlu.accuracy cannot be decided: no evaluations of it are there for candidate"


@pytest.mark.parametrize(
    ("evaluations", "reason"),
    [
        ([], NONE),
        ([None, "x"], NONE),
        ([record(0.9, task="gpqa")], NONE),
        ([record(0.9, subtask="anatomy")], NONE),
        ([record(0.9, "production")], NONE),
        ([{**record(0.9), "model": None}], NONE),
        ([record(0.9), record(0.1)], NONE.replace("no eval", "2 eval")),
        ([{**record(), "metrics": None}], "mmlu.accuracy was not measured of candidate; metrics there: none"),
        (
            [{**record(), "metrics": {"f1": 1, "em": 1}}],
            "mmlu.accuracy was not measured of candidate; metrics there: em, f1",
        ),
        ([record(float("nan"))], "mmlu.accuracy of candidate is nan, which is not a number"),
        ([record(float("inf"))], "mmlu.accuracy of candidate is inf, which is not a number"),
        ([record(10**400)], f"mmlu.accuracy of candidate is {10**400}, which is not a number"),
        ([record(True)], "mmlu.accuracy of candidate is True, which is not a number"),
        ([record("0.9")], "mmlu.accuracy of candidate is '0.9', which is not a number"),
        ([record(0.9, samples=0)], "mmlu.accuracy of candidate rests on 0 samples"),
        ([record(0.9, samples=-5)], "mmlu.accuracy of candidate rests on -5 samples"),
        (
            [record(0.9, subtasks={name: {} for name in MMLU if name != "anatomy"})],
            "mmlu.accuracy is partial for candidate: subtasks anatomy are missing",
        ),
        (
            [record(0.9, subtasks={MMLU[0]: {}})],
            f"mmlu.accuracy is partial for candidate: subtasks {', '.join(MMLU[1:])} are missing",
        ),
    ],
)
def test_a_score_that_is_not_there_never_passes(evaluations: list[Any], reason: str) -> None:
    assert only(decide([FLOOR], evaluations)) == {
        "name": "mmlu.accuracy",
        "kind": "floor",
        "value": None,
        "threshold": 0.5,
        "passed": False,
        "test": None,
        "reason": reason,
        "baseline": None,
    }


@pytest.mark.parametrize("subtasks", [{}, None, {name: {} for name in MMLU}, {"of": {}, "your own": {}}])
def test_a_whole_task_is_whole_where_no_known_subtask_is_missing(subtasks: Any) -> None:
    assert only(decide([FLOOR], [record(0.9, subtasks=subtasks)]))["passed"]
    own = record(0.9, task="own", metric="score", subtasks={"a": {}})
    assert only(decide([{"task": "own", "metric": "score", "floor": 0.5}], [own]))["passed"]


def test_a_subtask_is_read_where_it_was_evaluated_by_itself_or_within_its_task() -> None:
    floor = {**FLOOR, "subtask": "anatomy"}
    within = record(0.1, subtasks={name: {"metrics": {"accuracy": 0.8}, "samples": 7} for name in MMLU})
    found = only(decide([floor], [within]))
    assert (found["name"], found["value"]) == ("mmlu.anatomy.accuracy", 0.8)
    assert only(decide([floor], [within, record(0.6, subtask="anatomy")]))["value"] == 0.6
    assert only(decide([{**SAMPLES, "subtask": "anatomy", "samples": 7}], [within]))["value"] == 7
    assert not only(decide([floor], [record(0.9)]))["passed"]


def test_a_subtask_of_its_own_is_not_asked_for_the_other_subtasks() -> None:
    alone = record(0.6, subtask="anatomy", subtasks={"anatomy": {"metrics": {"accuracy": 0.6}}})
    assert only(decide([{**FLOOR, "subtask": "anatomy"}], [alone]))["passed"]


@pytest.mark.parametrize(("samples", "passed"), [(499, False), (500, True), (501, True)])
def test_minimum_samples(samples: int, passed: bool) -> None:
    found = only(decide([SAMPLES], [record(samples=samples)]))
    assert (found["value"], found["threshold"], found["passed"]) == (samples, 500, passed)
    words = "at least" if passed else "fewer than"
    assert (found["name"], found["reason"]) == ("mmlu samples", f"mmlu samples: {samples}, {words} 500")


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (None, "it is not known how many samples mmlu rests on"),
        (0, "mmlu of candidate rests on 0 samples"),
        (True, "mmlu of candidate rests on True samples"),
        (900.0, "mmlu of candidate rests on 900.0 samples"),
    ],
)
def test_samples_that_are_not_known_are_not_enough(samples: Any, reason: str) -> None:
    found = only(decide([SAMPLES], [record(samples=samples)]))
    assert (found["value"], found["passed"], found["reason"]) == (None, False, reason)


@pytest.mark.parametrize(
    ("value", "other", "passed"), [(0.65, 0.7, True), (0.6499, 0.7, False), (0.9, 0.7, True), (0.25, 0.3, True)]
)
def test_general_ability_may_fall_by_the_drop_and_no_more(value: float, other: float, passed: bool) -> None:
    found = only(decide([GENERAL], [record(value), record(other, "base")]))
    assert found["passed"] is passed
    assert found["threshold"] == pytest.approx(other - 0.05)
    assert found["baseline"] == {"model": "base", "value": other, "stderr": None, "samples": None}
    verdict = "has not fallen" if passed else "has fallen"
    assert found["reason"] == f"mmlu.accuracy {verdict} by more than 0.05: {value:g} against base {other:g}"
    assert found["name"] == "mmlu.accuracy drop against base"


def test_better_by_any_margin_is_told_as_better() -> None:
    records = [record(0.7, stderr=0.01), record(0.7, "base", stderr=0.01)]
    found = only(decide([{**BETTER, "margin": 0}], records))
    assert found["reason"].startswith("mmlu.accuracy 0.7 is not shown to be above base 0.7 (z-test")


def test_general_ability_against_production() -> None:
    records = [record(0.6), record(0.9, "base"), record(0.64, "production", stderr=0.01, samples=None)]
    found = only(decide([{**GENERAL, "against": "production"}], records))
    assert found["passed"]
    assert found["baseline"] == {"model": "production", "value": 0.64, "stderr": 0.01, "samples": None}


@pytest.mark.parametrize("criterion", [NOT_WORSE, BETTER, GENERAL])
@pytest.mark.parametrize(
    ("ours", "theirs", "reason"),
    [
        ({"dataset_sha256": "a"}, {"dataset_sha256": "b"}, "mmlu.accuracy was not measured on the set on which"),
        ({"dataset_sha256": "a"}, {}, "mmlu.accuracy was not measured on the set on which"),
        ({"samples": 950}, {"samples": 1000}, "mmlu.accuracy rests on 950 samples and on 1000 of"),
        ({"samples": 1000}, {"samples": 950}, "mmlu.accuracy rests on 1000 samples and on 950 of"),
    ],
)
def test_what_was_measured_on_different_rows_is_never_compared(
    criterion: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any], reason: str
) -> None:
    model = "production" if criterion is NOT_WORSE else "base"
    same = [record(0.9, stderr=0.01), record(0.5, model, stderr=0.01)]
    assert only(decide([criterion], same))["passed"]
    found = only(decide([criterion], [{**same[0], **ours}, {**same[1], **theirs}]))
    assert not found["passed"]
    assert reason in found["reason"]
    assert found["test"] is None
    assert (found["value"], found["baseline"]["model"], found["baseline"]["value"]) == (0.9, model, 0.5)


def test_scores_on_a_set_of_ones_own_are_compared_only_where_the_set_is_known() -> None:
    criterion = {**GENERAL, "task": "gen_qa", "metric": "f1"}

    def records(sha256: str | None) -> list[dict[str, Any]]:
        return [
            record(0.6, model, task="gen_qa", metric="f1", dataset_sha256=sha256) for model in ("candidate", "base")
        ]

    assert only(decide([criterion], records("abc")))["passed"]
    for unknown in (None, ""):
        found = only(decide([criterion], records(unknown)))
        assert (found["passed"], found["reason"]) == (False, "it is not known on which set gen_qa.f1 was measured")


@pytest.mark.parametrize("criterion", [NOT_WORSE, {**GENERAL, "against": "production"}])
def test_a_first_run_is_decided_against_the_base_model_and_says_so(criterion: dict[str, Any]) -> None:
    records = [record(0.7, stderr=0.01), record(0.6, "base", stderr=0.01)]
    found = only(decide([criterion], records, has_production=False))
    assert found["passed"]
    assert found["baseline"]["model"] == "base"
    assert found["reason"].endswith("; there is no production model yet, so the base model is compared with")
    worse = [record(0.5, stderr=0.01), record(0.6, "base", stderr=0.01)]
    assert not only(decide([criterion], worse, has_production=False))["passed"]


def test_production_without_scores_is_no_first_run() -> None:
    records = [record(0.7, stderr=0.01), record(0.6, "base", stderr=0.01)]
    found = only(decide([NOT_WORSE], records))
    assert not found["passed"]
    assert found["reason"] == "mmlu.accuracy cannot be decided: no evaluations of it are there for production"
    assert (found["value"], found["baseline"]) == (0.7, None)


@pytest.mark.parametrize("has_production", [True, False])
@pytest.mark.parametrize("criterion", [NOT_WORSE, BETTER, GENERAL])
def test_without_anything_to_compare_with_nothing_passes(criterion: dict[str, Any], has_production: bool) -> None:
    found = only(decide([criterion], [record(0.9, stderr=0.001)], has_production=has_production))
    assert not found["passed"]
    assert "no evaluations of it are there for" in found["reason"]


def test_better_than_base_is_decided_against_base_though_there_is_production() -> None:
    records = [record(0.7, stderr=0.01), record(0.9, "production", stderr=0.01), record(0.5, "base", stderr=0.01)]
    found = only(decide([BETTER], records))
    assert (found["passed"], found["baseline"]["model"]) == (True, "base")
    assert "production" not in found["reason"]


def test_a_metric_has_to_be_named_where_a_task_has_several() -> None:
    criterion = {"task": "gen_qa", "floor": 0.1}
    found = only(decide([criterion], [record(0.9, task="gen_qa")]))
    assert (found["passed"], found["reason"]) == (False, "no metric of gen_qa is named")


def test_a_gate_without_criteria_is_an_error() -> None:
    with pytest.raises(InvalidRequest) as caught:
        decide([], [record(1.0)], evaluated=[("mmlu", None)])
    assert caught.value.message == (
        "The gate has no criteria; give at least one, or open it with evaluations to be read."
    )


def test_an_open_gate_with_criteria_or_with_nothing_to_read_is_an_error() -> None:
    with pytest.raises(InvalidRequest):
        decide([FLOOR], [record(1.0)], is_open=True, evaluated=[("mmlu", None)])
    with pytest.raises(InvalidRequest):
        decide([], [record(1.0)], is_open=True)


def test_an_open_gate_passes_where_every_evaluation_was_read_and_says_that_it_is_open() -> None:
    decision = decide([], [record(0.01), record(0.1, subtask="anatomy")], is_open=True,
                      evaluated=[("mmlu", None), ("mmlu", "anatomy")])  # fmt: skip
    assert (decision["verdict"], decision["open"]) == ("PASSED", True)
    assert [(each["name"], each["kind"], each["passed"]) for each in decision["criteria"]] == [
        ("mmlu", "evaluated", True),
        ("mmlu.anatomy", "evaluated", True),
    ]
    assert decision["sentence"] == (
        "Open gate, which asks nothing of the scores. Passed: mmlu was read; mmlu.anatomy was read."
    )


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ([], "gpqa cannot be decided: no evaluations of it are there for candidate"),
        ([record(1, "base", task="gpqa")], "gpqa cannot be decided: no evaluations of it are there for candidate"),
        ([{**record(task="gpqa"), "metrics": {}}], "gpqa has no score of candidate"),
        ([record(float("nan"), task="gpqa")], "gpqa.accuracy of candidate is nan, which is not a number"),
        ([record(1, task="gpqa", samples=0)], "gpqa of candidate rests on 0 samples"),
    ],
)
@pytest.mark.parametrize("criteria", [[], [FLOOR]])
def test_an_evaluation_that_was_not_read_fails_any_gate(
    criteria: list[dict[str, Any]], broken: list[Any], reason: str
) -> None:
    evaluated = [("mmlu", None), ("gpqa", None)]
    whole = decide(criteria, [record(0.9), record(0.9, task="gpqa")], is_open=not criteria, evaluated=evaluated)
    assert whole["verdict"] == "PASSED"
    decision = decide(criteria, [record(0.9), *broken], is_open=not criteria, evaluated=evaluated)
    assert decision["verdict"] == "FAILED"
    assert [each["reason"] for each in decision["criteria"] if not each["passed"]] == [reason]
    assert reason in decision["sentence"]


def test_a_closed_gate_lists_its_own_criteria_where_everything_was_read() -> None:
    decision = decide([FLOOR], [record(0.9)], evaluated=[("mmlu", None)])
    assert [each["name"] for each in decision["criteria"]] == ["mmlu.accuracy"]


def test_no_results_never_passed() -> None:
    assert not gate.GateDecision(criteria=()).passed


class _Table:
    """A run control table with a pointer, or without."""

    def __init__(self, pointer: Mapping[str, Any] | None) -> None:
        self._pointer = pointer

    def get(self, key: Mapping[str, Any]) -> Any:
        return self._pointer if key == {"item": "pointer"} else None


SHOWN = {"arn": "arn:d", "model_arn": "arn:m", "run_id": "r0", "generation": 1, "moved_at": "t", "version": 1}


@pytest.mark.parametrize(("pointer", "model"), [(None, "base"), (SHOWN, "production")])
def test_the_decision_is_recorded_and_the_pointer_says_what_is_compared_with(
    pointer: Mapping[str, Any] | None, model: str
) -> None:
    ledger = Recorder()
    store: Any = _Table(pointer)
    event = {
        "run": RUN,
        "gate": {"open": False, "criteria": [NOT_WORSE]},
        "evaluated": [{"task": "mmlu", "subtask": None}],
        "evaluations": [record(0.7, each, stderr=0.01) for each in ("candidate", "base", "production")],
    }
    decision = gate.decide_run(event, ledger=ledger, pointer=Pointer(store))
    assert only(decision)["baseline"]["model"] == model
    assert ledger.events == [
        {"run_id": "run-1", "event_id": "gate-decided", "type": "gate_decided", "detail": decision}
    ]
    json.dumps(decision, allow_nan=False)


def test_a_run_with_an_open_gate() -> None:
    store: Any = _Table(None)
    event = {
        "run": RUN,
        "gate": {"open": True, "criteria": []},
        "evaluated": [{"task": "mmlu"}],
        "evaluations": [record(0.1)],
    }
    decision = gate.decide_run(event, ledger=Recorder(), pointer=Pointer(store))
    assert (decision["verdict"], decision["open"]) == ("PASSED", True)
    with pytest.raises(InvalidRequest):
        gate.decide_run({**event, "gate": {"criteria": []}}, ledger=Recorder(), pointer=Pointer(store))


def test_a_gate_is_a_value() -> None:
    assert Gate(criteria=(), has_production=True) == Gate(criteria=(), has_production=True)


SUBTASK = "cannot be decided: no evaluations of it are there for candidate"


def test_a_missing_subtask_is_named() -> None:
    whole = record(0.9, samples=900)
    assert only(decide([{**FLOOR, "subtask": "anatomy"}], [whole]))["reason"] == f"mmlu.anatomy.accuracy {SUBTASK}"
    assert only(decide([{**SAMPLES, "subtask": "anatomy"}], [whole]))["reason"] == f"mmlu.anatomy {SUBTASK}"
    broken = {"anatomy": {"metrics": {"accuracy": 1}, "samples": 0}}
    found = only(decide([{**SAMPLES, "subtask": "anatomy"}], [record(0.9, task="mmlu", subtasks=broken)]))
    assert found["reason"] == "mmlu.anatomy of candidate rests on 0 samples"


def test_a_subtask_that_was_to_be_evaluated_and_was_not_is_named() -> None:
    store: Any = _Table(None)
    event = {
        "run": RUN,
        "gate": {"open": True, "criteria": []},
        "evaluated": [{"task": "mmlu", "subtask": None}, {"task": "mmlu", "subtask": "anatomy"}],
        "evaluations": [record(0.1)],
    }
    decision = gate.decide_run(event, ledger=Recorder(), pointer=Pointer(store))
    assert decision["criteria"][1] == {
        "name": "mmlu.anatomy",
        "kind": "evaluated",
        "value": None,
        "threshold": None,
        "passed": False,
        "test": None,
        "reason": f"mmlu.anatomy {SUBTASK}",
        "baseline": None,
    }
    assert decision["verdict"] == "FAILED"
