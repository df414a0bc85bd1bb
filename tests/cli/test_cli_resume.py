"""`nova run resume`: what it starts, what it refuses, and how a run that resumes another is listed and shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nova_constructs.cli.run import waiting
from tests.cli.cli_support import FakeAws, Nova, execution

DATASET = {"dataset": {"uri": "s3://incoming/datasets/a.jsonl"}}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.0)


def asked(**more: Any) -> str:
    return json.dumps({**DATASET, **more})


def started(aws: FakeAws) -> dict[str, Any]:
    [request] = [request for call, request in aws.calls if call == "start_execution"]
    document: dict[str, Any] = json.loads(request["input"])
    return document


def rejected(run_id: str, **more: Any) -> dict[str, Any]:
    return execution(run_id, "SUCCEEDED", output={"status": "REJECTED"}, input=asked(**more))


@pytest.mark.parametrize("status", ["FAILED", "ABORTED", "TIMED_OUT"])
def test_a_run_is_started_with_the_input_of_the_earlier_one(nova: Nova, aws: FakeAws, status: str) -> None:
    given = {"overrides": {"max_steps": 3}, "force": True, "resume": "r0"}
    dropped = {"reason": "new data", "requested_by": "who", "trigger": {"name": "Data"}}
    aws.executions["r1"] = execution("r1", status, input=asked(**given, **dropped))
    ran = nova("run", "resume", "r1")
    assert ran.code == 0
    assert started(aws) == {**DATASET, **given, "resume": "r1"}
    assert ran.out.strip() in aws.executions
    assert "which resumes r1" in ran.err


def test_a_rejected_run_can_be_resumed_with_a_reason(nova: Nova, aws: FakeAws) -> None:
    aws.executions["r1"] = rejected("r1")
    ran = nova("run", "resume", "r1", "--reason", "gate corrected", "--json")
    told = json.loads(ran.out)
    assert (told["status"], told["resume"], told["run_id"] in aws.executions) == ("RUNNING", "r1", True)
    assert started(aws)["reason"] == "gate corrected"


@pytest.mark.parametrize(
    ("earlier", "words"),
    [
        (execution("r1", "RUNNING", input=asked()), "still going"),
        (execution("r1", "SUCCEEDED", input=asked(), output={"status": "SUCCEEDED"}), "the run succeeded"),
        (execution("r1", "SUCCEEDED", input=asked(), output={"status": "SKIPPED"}), "the run was skipped"),
        (execution("r1", "SUCCEEDED", input=asked(), output={"status": "DRY_RUN"}), "a dry run leaves nothing"),
        (execution("r1", "FAILED", input="no JSON"), "no input that could be resumed"),
        (execution("r1", "FAILED", input="[1]"), "no input that could be resumed"),
        (execution("r1", "FAILED", input=asked(recipee="x")), "recipee"),
    ],
)
def test_where_there_is_nothing_to_resume_that_is_said_and_nothing_started(
    nova: Nova, aws: FakeAws, earlier: dict[str, Any], words: str
) -> None:
    aws.executions["r1"] = earlier
    ran = nova("run", "resume", "r1")
    assert ran.code == 2
    assert words in ran.err
    assert aws.calls == []


def test_an_unknown_run_is_bad_input(nova: Nova, aws: FakeAws) -> None:
    ran = nova("run", "resume", "nowhere")
    assert (ran.code, aws.calls) == (2, [])
    assert "no such run" in ran.err


def test_the_list_names_the_run_that_is_resumed(nova: Nova, aws: FakeAws) -> None:
    aws.executions["r2"] = execution("r2", "FAILED", input=asked(resume="r1"))
    aws.executions["r1"] = execution("r1", "FAILED", input=asked())
    assert [run["resume"] for run in json.loads(nova("run", "list", "--json").out)] == ["r1", None]
    header, second, first = nova("run", "list").out.splitlines()
    assert header.split()[-1] == "RESUMES"
    assert (second.split()[-1], first.split()[-1]) == ("r1", "-")


def test_a_list_without_resumed_runs_is_as_narrow_as_ever(nova: Nova, aws: FakeAws) -> None:
    aws.executions["r1"] = execution("r1", "FAILED", input=asked())
    assert "RESUMES" not in nova("run", "list").out


def _event(kind: str, **detail: Any) -> dict[str, Any]:
    return {"type": {"S": kind}, "detail": {"S": json.dumps(detail)}}


def test_show_tells_what_was_taken_and_what_was_done_again_and_why(
    nova: Nova, aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.executions["r2"] = execution("r2", "FAILED", input=asked(resume="r1"))
    told = [
        _event("stage_taken", stage="data", from_run="r0", manifest_uri="s3://m"),
        _event("job_adopted", stage="training", from_run="r1", name="demo-x", arn="arn:x"),
        _event("stage_not_taken", stage="evaluation-mmlu", reasons={"r1": "demo-y ended with EvaluationFailed"}),
    ]
    real = aws.get_paginator

    class Query:
        def paginate(self, *, TableName: str, **_: Any) -> list[dict[str, Any]]:  # noqa: N803
            return [{"Items": told if TableName == "ledger" else []}]

    monkeypatch.setattr(aws, "get_paginator", lambda name: Query() if name == "query" else real(name))
    shown = json.loads(nova("run", "show", "r2", "--json").out)
    assert shown["resume"] == "r1"
    assert [(each["stage"], each["taken"], each["from_run"]) for each in shown["taken"]] == [
        ("data", "completed", "r0"),
        ("training", "adopted", "r1"),
        ("evaluation-mmlu", None, None),
    ]
    text = nova("run", "show", "r2").out
    assert "data of run r0" in text
    assert "training of run r1, whose job still ran" in text
    assert "evaluation-mmlu (r1: demo-y ended with EvaluationFailed)" in text
