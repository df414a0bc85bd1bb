"""What of a gate can be known to fail at synth, and what the state machine is given of one that works."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lambda_handlers.evaluation.gate import read_criteria
from nova_constructs import (
    HELD_OUT,
    BetterThanBase,
    EvaluationTask,
    Floor,
    GeneralAbilityFloor,
    MinimumSamples,
    NotWorseThanProduction,
    Processor,
    QualityGate,
)
from nova_constructs.checks import ConfigurationError
from nova_constructs.gate_checks import gate_problems
from nova_constructs.settings import SettingsError

SCORER = "arn:aws:lambda:us-east-1:111122223333:function:score"
MMLU, ANATOMY = EvaluationTask(task="mmlu"), EvaluationTask(task="mmlu", subtask="anatomy")
GEN_QA = EvaluationTask(task="gen_qa", dataset=HELD_OUT)
OWN_METRICS = EvaluationTask(task="gen_qa", dataset=HELD_OUT, processor=Processor(function=SCORER))
JUDGE = EvaluationTask(task="llm_judge", dataset="evaluation/llm_judge.jsonl")
REWARD = EvaluationTask(task="rft_eval", dataset="evaluation/rft_eval.jsonl", reward_function=SCORER)


def problems(*criteria: Any, tasks: tuple[EvaluationTask, ...] = (MMLU, GEN_QA, JUDGE)) -> list[str]:
    return list(gate_problems(QualityGate(criteria=criteria), tasks))


@pytest.mark.parametrize(
    "criterion",
    [
        Floor(task="mmlu", floor=0),
        Floor(task="mmlu", floor=1),
        Floor(task="mmlu", subtask="anatomy", floor=0.5),
        Floor(task="gen_qa", metric="bleu", floor=25),
        Floor(task="llm_judge", metric="score", floor=-3),
        NotWorseThanProduction(task="mmlu", margin=0),
        BetterThanBase(task="gen_qa", metric="bleu", margin=2),
        MinimumSamples(task="gen_qa", samples=100),
        GeneralAbilityFloor(task="mmlu", drop=0.05),
    ],
)
def test_what_works(criterion: Any) -> None:
    assert problems(criterion) == []


@pytest.mark.parametrize(
    ("criterion", "problem"),
    [
        (
            Floor(task="bbh", floor=0.5),
            "gate names task 'bbh' (subtask none), which is not evaluated; tasks: mmlu, gen_qa",
        ),
        (
            Floor(task="mmlu", subtask="astrology", floor=0.5),
            "gate names task 'mmlu' (subtask astrology), which is not",
        ),
        (MinimumSamples(task="gpqa", samples=5), "gate names task 'gpqa' (subtask none), which is not evaluated"),
        (
            Floor(task="mmlu", metric="acuracy", floor=0.5),
            "gate names metric 'acuracy' of task 'mmlu', which has none such: did you mean accuracy? use accuracy",
        ),
        (
            Floor(task="gen_qa", metric="accuracy", floor=0.5),
            "gate names metric 'accuracy' of task 'gen_qa', which has none such: use rouge1",
        ),
        (
            Floor(task="gen_qa", floor=0.5),
            "gate names task 'gen_qa', which has several metrics: name one, for instance metric: rouge1",
        ),
        (
            Floor(task="llm_judge", metric="inference_error", floor=0),
            "gate: llm_judge.inference_error is better the smaller it is",
        ),
        (Floor(task="mmlu", floor=50), "gate: floor for mmlu.accuracy is 50, but accuracy is between 0 and 1"),
        (
            Floor(task="gen_qa", metric="bleu", floor=-1),
            "gate: floor for gen_qa.bleu is -1, but bleu is between 0 and 100",
        ),
        (Floor(task="mmlu", floor=float("nan")), "gate: floor for mmlu.accuracy is nan, which is not a number"),
        (NotWorseThanProduction(task="mmlu", margin=-0.1), "gate: margin for mmlu.accuracy against production is -0.1"),
        (
            NotWorseThanProduction(task="mmlu", margin=1),
            "gate: margin for mmlu.accuracy against production is 1, but accuracy",
        ),
        (BetterThanBase(task="mmlu", margin=0, confidence=1), "gate: confidence for mmlu.accuracy against base is 1"),
        (GeneralAbilityFloor(task="mmlu", drop=2), "gate: drop for mmlu.accuracy drop against base is 2, but accuracy"),
        (
            GeneralAbilityFloor(task="mmlu", drop=0.1, against="best"),
            "gate: against for mmlu.accuracy is 'best': use base or production",
        ),
        (MinimumSamples(task="mmlu", samples=0), "gate: samples for mmlu is 0"),
        ({"task": "mmlu"}, "gate has the criterion {'task': 'mmlu'}: use Floor"),
    ],
)
def test_what_cannot_work(criterion: Any, problem: str) -> None:
    [found] = problems(criterion)
    assert found.startswith(problem)


def test_metrics_of_a_function_of_ones_own_have_any_name() -> None:
    assert problems(Floor(task="gen_qa", metric="tone", floor=7), tasks=(OWN_METRICS,)) == []
    assert problems(Floor(task="rft_eval", metric="reward", floor=7), tasks=(REWARD,)) == []
    [found] = problems(Floor(task="rft_eval", floor=7), tasks=(REWARD,))
    assert found.endswith("name one, for instance metric: the one that your function returns")


def test_the_same_criterion_twice() -> None:
    same = [Floor(task="mmlu", floor=0.4), Floor(task="mmlu", metric="accuracy", floor=0.5)]
    assert problems(*same) == ["gate has two criteria 'mmlu.accuracy': keep the one that is meant"]
    drops = [GeneralAbilityFloor(task="mmlu", drop=0.1, against=model) for model in ("base", "production")]
    others = [Floor(task="mmlu", subtask="anatomy", floor=0.5), NotWorseThanProduction(task="mmlu", margin=0.1)]
    assert problems(same[0], *drops, *others) == []


def test_an_open_gate_is_written_out_and_has_no_criteria() -> None:
    assert list(gate_problems(QualityGate.open(), [MMLU])) == []
    [found] = gate_problems(QualityGate(criteria=[]), [MMLU])
    assert "write QualityGate.open(), in YAML gate: {open: true}" in found
    [found] = gate_problems(QualityGate(criteria=[Floor(task="mmlu", floor=0.5)], is_open=True), [MMLU])
    assert found.startswith("gate is open and has criteria")


def test_baselines_are_measured_with_the_evaluation_that_holds_the_subtask() -> None:
    gate = QualityGate(
        criteria=[
            NotWorseThanProduction(task="mmlu", subtask="anatomy", margin=0.1),
            BetterThanBase(task="gen_qa", metric="f1", margin=0.1),
            Floor(task="mmlu", floor=0.5),
        ]
    )
    assert gate.needs_baseline() == {("mmlu", "anatomy", "production"), ("gen_qa", None, "base")}
    assert gate.needs_baseline([("mmlu", None)]) == {("mmlu", None, "production"), ("gen_qa", None, "base")}
    assert ("mmlu", "anatomy", "production") in gate.needs_baseline([("mmlu", None), ("mmlu", "anatomy")])


def test_the_gate_in_a_settings_file(definition_of: Callable[..., Any], entry: dict[str, Any]) -> None:
    criteria = [
        {"task": "mmlu", "floor": 0.5},
        {"kind": "not_worse_than_production", "task": "gen_qa", "metric": "f1", "margin": 0.02, "confidence": 0.9},
    ]
    made = definition_of({**entry, "gate": {"criteria": criteria}})
    # What is null falls away on the way to the state machine; the function knows the same defaults.
    parameters = made["States"]["DecideGate"]["Parameters"]
    assert parameters["gate"] == {"open": False, "criteria": [{"kind": "floor", **criteria[0]}, criteria[1]]}
    assert read_criteria(parameters["gate"]["criteria"]) == read_criteria(criteria)
    assert parameters["evaluated"] == [{"task": "mmlu"}, {"task": "gen_qa"}]
    assert parameters["evaluations.$"] == "$.evaluations"


def test_an_open_gate_in_a_settings_file(definition_of: Callable[..., Any], entry: dict[str, Any]) -> None:
    made = definition_of({**entry, "gate": {"open": True}})
    assert made["States"]["DecideGate"]["Parameters"]["gate"] == {"open": True, "criteria": []}


@pytest.mark.parametrize(
    ("gate", "error", "message"),
    [
        ({}, SettingsError, "gate"),
        ({"open": False}, ConfigurationError, "gate has no criteria"),
        ({"open": True, "criteria": [{"task": "mmlu", "floor": 0.5}]}, ConfigurationError, "gate is open and has"),
        ({"criteria": [{"task": "mmlu"}]}, SettingsError, "criterion 1 (floor) lacks floor"),
        ({"criteria": [{"task": "mmlu", "floor": 1, "margin": 1}]}, SettingsError, "(floor) has unknown keys margin"),
        ({"criteria": [{"task": "mmlu", "roof": 1}]}, SettingsError, "roof"),
        ({"criteria": [{"kind": "ceiling", "task": "mmlu"}]}, SettingsError, "ceiling"),
    ],
)
def test_a_gate_that_cannot_be_used_is_refused(
    synthesize: Callable[..., Any], entry: dict[str, Any], gate: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        synthesize({**entry, "gate": gate})
    assert message in str(caught.value)


def test_the_gate_may_read_the_pointer_and_nothing_else_of_the_table(template: dict[str, Any]) -> None:
    statements = [
        statement
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::IAM::Policy" and "GateDecide" in name
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
    ]
    by_sid = {statement["Sid"]: statement["Action"] for statement in statements}
    assert by_sid["ReadPointer"] == "dynamodb:GetItem"
    assert set(by_sid) == {"WriteLogs", "AppendLedger", "ReadPointer", "UseKeyThroughDynamodb"}
