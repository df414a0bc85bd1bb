"""The paths that prove the permissions of waiting for a turn, of passing the lock on, and of ending what is too old."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.workflow.harness import Workflow, until
from tests.workflow.paths import closed, dataset_of, lasting

QUEUEING: dict[str, Any] = {"concurrency": "QUEUE", "queue_deadline_hours": 6, "max_run_age_hours": 8}
"""What gives the workflow the permissions that a path here can prove."""


def one_after_another(workflow: Workflow) -> None:
    """The second run waits until the first is closed, which tells it."""
    first, second = _holder(workflow, "first"), _start(workflow, "second", "prepare")
    workflow.reach(second, "AwaitTurn")
    for arn in (first, second):
        ended = workflow.finish(arn)
        assert ended["status"] == "SUCCEEDED", ended.get("cause")
    assert workflow.path(second)[:5] == ["PlanRun", "PlanDecision", "AwaitTurn", "TurnDecision", "PlanRun"]


def turn_comes_early(workflow: Workflow) -> None:
    """The lock is passed on before the function that waits has kept its token: it tells itself."""
    first = _holder(workflow, "early")

    def end() -> None:
        workflow.states.stop_execution(executionArn=first)
        workflow.record(first.rsplit(":", 1)[1])
        until(lambda: workflow.lock_holders() == [second.rsplit(":", 1)[1]] or None, "the hand-over of the lock")

    workflow.emulator.faults.before_function("TurnWait", end)
    second = _start(workflow, "later", "prepare")
    ended = workflow.finish(second)
    assert ended["status"] == "SUCCEEDED", ended.get("cause")


def too_old(workflow: Workflow) -> None:
    """No job is over its deadline, yet the run is."""
    workflow.emulator.faults.never_finish("evaluation-mmlu")
    with lasting(workflow, training_seconds=5.5 * 3600):
        arn = _start(workflow, "old", "full")
        ended = workflow.finish(arn)
    assert (ended["status"], ended["error"]) == ("ABORTED", "RunTooOld"), ended.get("cause")
    closed(workflow, arn)
    assert workflow.record(ended["name"])["error"] == "RunTooOld"


def _holder(workflow: Workflow, name: str) -> str:
    """Start a run that trains, and return once its job runs."""
    arn = _start(workflow, name, "train")
    until(lambda: workflow.live_jobs() or None, "the training job")
    return arn


def _start(workflow: Workflow, name: str, mode: str) -> str:
    workflow.put("IncomingBucketName", f"uploads/{name}.jsonl", dataset_of(name))
    place = f"s3://{workflow['IncomingBucketName']}/uploads/{name}.jsonl"
    return workflow.start(dataset=place, mode=mode, force=True)


QUEUE_PATHS: dict[str, Callable[[Workflow], None]] = {
    "one after another": one_after_another,
    "its turn comes before it waits": turn_comes_early,
    "a run too old": too_old,
}
