from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.cli_support import FakeAws, Nova, execution

RECORD: dict[str, Any] = {
    "task": "mmlu",
    "subtask": None,
    "model": "candidate",
    "metrics": {"accuracy": 0.71},
    "stderr": {"accuracy": 0.0143},
    "samples": 1000,
    "subtasks": {"anatomy": {"metrics": {"accuracy": 0.5}, "stderr": {}, "samples": None}},
}
PRODUCTION = {**RECORD, "model": "production", "metrics": {"accuracy": 0.7}, "subtasks": {}}
GATE: dict[str, Any] = {
    "verdict": "FAILED",
    "open": False,
    "criteria": [
        {
            "name": "mmlu.accuracy",
            "kind": "floor",
            "value": 0.71,
            "threshold": 0.75,
            "passed": False,
            "test": None,
            "reason": "mmlu.accuracy 0.71 is below the floor 0.75",
            "baseline": None,
        },
        {
            "name": "mmlu.accuracy against production",
            "kind": "not_worse_than_production",
            "value": 0.71,
            "threshold": 0.65,
            "passed": True,
            "test": {"name": "z_test"},
            "reason": "…",
            "baseline": {"model": "production", "value": 0.7, "stderr": 0.0143, "samples": 1000},
        },
    ],
    "sentence": "Failed 1 of 2 criteria: mmlu.accuracy 0.71 is below the floor 0.75.",
}


def events(*told: tuple[str, Any]) -> list[dict[str, Any]]:
    """Return ledger events as DynamoDB holds them."""
    return [
        {"seq": {"N": str(number)}, "type": {"S": type_}, "detail": {"S": json.dumps(detail)}}
        for number, (type_, detail) in enumerate(told, start=1)
    ]


EVENTS = events(
    ("data_prepared", {}),
    ("evaluation_read", RECORD),
    ("baseline_found", {"decision": "MEASURE", "subject": {}}),
    ("baseline_found", {"decision": "KNOWN", "record": PRODUCTION}),
    ("gate_decided", GATE),
)


def test_scores_thresholds_and_verdicts_are_a_table(nova: Nova, aws: FakeAws) -> None:
    aws.executions["r1"] = execution("r1", "SUCCEEDED", output={"status": "REJECTED", "run_id": "r1"})
    aws.rows = EVENTS
    ran = nova("eval", "show", "r1")
    assert (ran.code, ran.err) == (3, "")
    assert ran.out.splitlines() == [
        "Run r1  REJECTED",
        "",
        "MODEL       TASK  SUBTASK  METRIC    SCORE  STANDARD ERROR  SAMPLES",
        "candidate   mmlu  -        accuracy  0.71   0.0143          1000",
        "candidate   mmlu  anatomy  accuracy  0.5    -               -",
        "production  mmlu  -        accuracy  0.7    0.0143          1000",
        "",
        "CRITERION                         VALUE  THRESHOLD  VERDICT  BASELINE        TEST",
        "mmlu.accuracy                     0.71   0.75       FAILED   -               -",
        "mmlu.accuracy against production  0.71   0.65       PASSED   production 0.7  z_test",
        "",
        "FAILED  Failed 1 of 2 criteria: mmlu.accuracy 0.71 is below the floor 0.75.",
    ]
    assert aws.reads["query"][0]["TableName"] == "ledger"
    assert aws.reads["query"][0]["ExpressionAttributeValues"] == {":run": {"S": "r1"}}


def test_the_same_as_one_object(nova: Nova, aws: FakeAws) -> None:
    aws.executions["r1"] = execution("r1", "SUCCEEDED", output={"status": "REJECTED", "cause": GATE["sentence"]})
    aws.rows = EVENTS
    ran = nova("eval", "show", "r1", "--json")
    assert (ran.code, ran.err) == (3, "")
    assert json.loads(ran.out) == {
        "run_id": "r1",
        "status": "REJECTED",
        "error": None,
        "cause": GATE["sentence"],
        "scores": [RECORD, PRODUCTION],
        "gate": GATE,
    }


@pytest.mark.parametrize(
    ("status", "more", "code"), [("RUNNING", {}, 0), ("FAILED", {"error": "EvaluationFailed", "cause": "x"}, 1)]
)
def test_a_run_that_has_not_come_to_the_gate(
    nova: Nova, aws: FakeAws, status: str, more: dict[str, str], code: int
) -> None:
    aws.executions["r1"] = execution("r1", status, **more)
    ran = nova("eval", "show", "r1")
    assert ran.code == code
    assert "No evaluation has been read.\n\nThe gate has not decided.\n" in ran.out
    assert ("error  EvaluationFailed" in ran.out) is (status == "FAILED")
    aws.rows = events(("evaluation_read", RECORD))
    assert "candidate" in nova("eval", "show", "r1").out
    document = json.loads(nova("eval", "show", "r1", "--json").out)
    assert (document["gate"], document["scores"], document["error"]) == (None, [RECORD], more.get("error"))


def test_there_is_no_such_run(nova: Nova, aws: FakeAws) -> None:
    ran = nova("eval", "show", "nope")
    assert (ran.code, ran.out) == (2, "")
    assert "received: nope" in ran.err


def test_names_that_are_not_ours_command_no_terminal(nova: Nova, aws: FakeAws) -> None:
    aws.executions["r1"] = execution("r1", "RUNNING")
    aws.rows = events(("evaluation_read", {**RECORD, "metrics": {"[bold]\x1b[2J": 0.5}}))
    assert "[bold]\\x1b[2J" in nova("eval", "show", "r1").out
