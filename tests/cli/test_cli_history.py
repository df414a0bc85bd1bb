from __future__ import annotations

from typing import Any

import pytest

from nova_constructs.cli.history import ended, stages, transitions
from tests.cli.cli_support import at


class Recording:
    """Builds a history event by event, as Step Functions numbers them."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.add("ExecutionStarted", previous=0)

    def add(self, kind: str, *, previous: int | None = None, seconds: float = 0, **details: Any) -> int:
        number = len(self.events) + 1
        event: dict[str, Any] = {
            "id": number,
            "previousEventId": number - 1 if previous is None else previous,
            "timestamp": at(seconds),
            "type": kind,
        }
        if details:
            event["someEventDetails"] = details
        self.events.append(event)
        return number


def test_a_stage_that_was_left_succeeded_and_lasted_as_long_as_the_events_say() -> None:
    history = Recording()
    history.add("TaskStateEntered", name="PlanRun", seconds=1)
    history.add("LambdaFunctionScheduled", seconds=1)
    history.add("LambdaFunctionSucceeded", seconds=3)
    history.add("TaskStateExited", name="PlanRun", seconds=4)

    (plan,) = stages(history.events)

    assert (plan.name, plan.status, plan.attempts) == ("PlanRun", "SUCCEEDED", 1)
    assert plan.as_dict()["seconds"] == 3.0


def test_a_choice_is_a_transition_but_not_a_stage() -> None:
    history = Recording()
    history.add("TaskStateEntered", name="PlanRun")
    history.add("TaskStateExited", name="PlanRun")
    history.add("ChoiceStateEntered", name="PlanDecision")
    history.add("ChoiceStateExited", name="PlanDecision")
    history.add("SucceedStateEntered", name="RunSkipped")

    assert [stage.name for stage in stages(history.events)] == ["PlanRun"]
    assert transitions(history.events) == 3


def test_a_caught_failure_marks_its_stage_failed_with_error_and_cause() -> None:
    history = Recording()
    history.add("TaskStateEntered", name="Train")
    history.add("TaskScheduled")
    history.add("TaskFailed", error="JobFailed", cause="AlgorithmError")
    history.add("TaskStateExited", name="Train")
    history.add("TaskStateEntered", name="CloseFailedRun")

    train, close = stages(history.events)

    assert (train.status, train.error, train.cause) == ("FAILED", "JobFailed", "AlgorithmError")
    assert close.status == "RUNNING"


def test_a_retried_failure_is_forgotten_and_counted_as_an_attempt() -> None:
    history = Recording()
    history.add("TaskStateEntered", name="Train")
    history.add("TaskScheduled")
    history.add("TaskFailed", error="TransientServiceError")
    history.add("TaskScheduled")
    history.add("TaskSucceeded")
    history.add("TaskStateExited", name="Train")

    (train,) = stages(history.events)

    assert (train.status, train.error, train.attempts) == ("SUCCEEDED", None, 2)


def test_interleaved_branches_keep_their_own_failures() -> None:
    history = Recording()
    parallel = history.add("ParallelStateEntered", name="Evaluate")
    started = history.add("ParallelStateStarted", previous=parallel)
    mmlu = history.add("TaskStateEntered", name="SubmitMmlu", previous=started)
    gen_qa = history.add("TaskStateEntered", name="SubmitGenQa", previous=started)
    mmlu_scheduled = history.add("TaskScheduled", previous=mmlu)
    gen_qa_scheduled = history.add("TaskScheduled", previous=gen_qa)
    history.add("TaskFailed", previous=mmlu_scheduled, error="EvaluationFailed")
    done = history.add("TaskSucceeded", previous=gen_qa_scheduled)
    history.add("TaskStateExited", previous=done, name="SubmitGenQa")
    history.add("ExecutionFailed", error="EvaluationFailed", previous=parallel)

    evaluate, first, second = stages(history.events)

    assert (first.name, first.status, first.error) == ("SubmitMmlu", "FAILED", "EvaluationFailed")
    assert (second.name, second.status, second.error) == ("SubmitGenQa", "SUCCEEDED", None)
    assert evaluate.status == "ABORTED"


def test_a_stage_that_runs_when_the_execution_is_aborted_is_aborted() -> None:
    history = Recording()
    history.add("TaskStateEntered", name="Train", seconds=10)
    history.add("ExecutionAborted", seconds=70)

    (train,) = stages(history.events)

    assert train.status == "ABORTED"
    assert train.as_dict()["seconds"] == 60.0


def test_a_stage_timeout_has_the_error_name_that_a_state_machine_catches() -> None:
    history = Recording()
    history.add("TaskStateEntered", name="Train")
    history.add("TaskTimedOut", resource="invoke")
    history.add("TaskStateExited", name="Train")

    assert stages(history.events)[0].error == "States.Timeout"


@pytest.mark.parametrize("last", ["ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"])
def test_an_execution_has_ended_when_its_history_says_so(last: str) -> None:
    history = Recording()
    history.add("TaskStateEntered", name="Train")
    assert not ended(history.events)

    history.add(last)
    assert ended(history.events)
