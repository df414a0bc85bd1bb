"""The paths that prove the permissions of asking, answering and expiring."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.workflow import people
from tests.workflow.harness import Workflow
from tests.workflow.queue_paths import QUEUEING

ASKING: dict[str, Any] = {"approval": {"deadline_hours": 4}, **QUEUEING}
"""What gives the workflow the permissions that a path here can prove."""


def rejected(workflow: Workflow) -> None:
    """Somebody says no."""
    arn = workflow.upload()
    people.wait_until_asked(workflow, arn)
    with workflow.emulator.clock.busy():
        _say(workflow, arn, "reject")
    assert _status(workflow, arn) == "REJECTED"


def expired(workflow: Workflow) -> None:
    """Nobody says anything."""
    assert _status(workflow, workflow.upload()) == "REJECTED"


def answered_between_two_tries(workflow: Workflow) -> None:
    """Somebody answers while the request is recorded, which fails: the state tries again and is told the answer."""
    faults = workflow.emulator.faults
    arn: list[str] = []

    def requested(event: Any) -> bool:
        return isinstance(event, dict) and event.get("type") == "approval_requested"

    faults.before_function("LedgerAppend", lambda: _say(workflow, arn[0], "approve"), when=requested)
    faults.crash_function("LedgerAppend", when=requested)
    arn.append(workflow.upload())
    assert _status(workflow, arn[0]) == "SUCCEEDED"
    assert faults.fired["crash_function"] == 1


def _say(workflow: Workflow, arn: str, decision: str) -> None:
    run = arn.rsplit(":", 1)[1]
    identity = people.presigned(workflow, "operator", run, decision, "a path")
    told = people.answer(workflow, "operator", run, decision, "a path", identity)
    assert told["accepted"], told


def _status(workflow: Workflow, arn: str) -> str:
    ended = workflow.finish(arn)
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    return str(json.loads(ended["output"])["status"])


APPROVAL_PATHS: dict[str, Callable[[Workflow], None]] = {
    "rejected by a person": rejected,
    "approval expired": expired,
    "answered between two tries": answered_between_two_tries,
}
