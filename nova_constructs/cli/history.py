"""An execution's history, read as stages: what ran, for how long, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Event = Mapping[str, Any]

# States that decide or shape data are part of the path, but nothing a reader waits for.
_SHOWN = ("Task", "Parallel", "Map", "Wait")
_ENTERED = "StateEntered"
_EXITED = "StateExited"
_FAILURES = (
    "TaskFailed",
    "TaskTimedOut",
    "TaskStartFailed",
    "TaskSubmitFailed",
    "LambdaFunctionFailed",
    "LambdaFunctionTimedOut",
    "ParallelStateFailed",
    "MapStateFailed",
)
_ATTEMPTS = ("TaskScheduled", "LambdaFunctionScheduled")
_ENDS = ("ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut")


@dataclass(kw_only=True, slots=True)
class Stage:
    """Describe one entered state: status RUNNING, SUCCEEDED, FAILED or ABORTED, and when it was entered and left."""

    name: str
    entered: datetime
    exited: datetime | None = None
    status: str = "RUNNING"
    attempts: int = 0
    error: str | None = None
    cause: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the stage as it is printed with `--json`; seconds are those of the execution's clock."""
        seconds = (self.exited - self.entered).total_seconds() if self.exited else None
        return {
            "name": self.name,
            "status": self.status,
            "entered": self.entered,
            "exited": self.exited,
            "seconds": seconds,
            "attempts": self.attempts,
            "error": self.error,
            "cause": self.cause,
        }


def transitions(events: Sequence[Event]) -> int:
    """Count the state transitions: every state that was entered."""
    return sum(event["type"].endswith(_ENTERED) for event in events)


def ended(events: Sequence[Event]) -> bool:
    """Tell whether the execution has ended."""
    return any(event["type"] in _ENDS or event["type"] == "ExecutionSucceeded" for event in events)


def stages(events: Sequence[Event]) -> list[Stage]:
    """List the stages in the order they were entered; parallel branches are told apart by their events' links."""
    reader = _Reader()
    for event in events:
        reader.read(event)
    return reader.stages


def details(event: Event) -> Mapping[str, Any]:
    """Return the `…EventDetails` of an event, which AWS stores under a key that depends on the type."""
    for key, value in event.items():
        if key.endswith("EventDetails") and isinstance(value, Mapping):
            return value
    return {}


class _Reader:
    """Follow `previousEventId` from each event to the state that it belongs to."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self._stage_of: dict[int, Stage | None] = {}

    def read(self, event: Event) -> None:
        kind: str = event["type"]
        stage = self._stage_of.get(event.get("previousEventId", 0))
        if kind.endswith(_ENTERED):
            stage = self._enter(kind, event)
        elif kind.endswith(_EXITED):
            stage = self._exit(event)
        elif kind in _ENDS:
            self._end(kind, event)
        elif stage is not None:
            _note(stage, kind, event)
        self._stage_of[event["id"]] = stage

    def _enter(self, kind: str, event: Event) -> Stage | None:
        if not kind.startswith(_SHOWN):
            return None
        stage = Stage(name=details(event)["name"], entered=event["timestamp"])
        self.stages.append(stage)
        return stage

    def _exit(self, event: Event) -> Stage | None:
        name = details(event)["name"]
        stage = next((s for s in reversed(self.stages) if s.name == name and s.exited is None), None)
        if stage is not None:
            stage.exited = event["timestamp"]
            stage.status = "FAILED" if stage.error else "SUCCEEDED"
        return stage

    def _end(self, kind: str, event: Event) -> None:
        failed = kind == "ExecutionFailed"
        for stage in self.stages:
            if stage.exited is None:
                stage.exited = event["timestamp"]
                stage.status = "FAILED" if failed and stage.error else "ABORTED"


def _note(stage: Stage, kind: str, event: Event) -> None:
    if kind in _ATTEMPTS:
        # A new attempt: the failure before it was retried, not final.
        stage.attempts += 1
        stage.error = stage.cause = None
    elif kind in _FAILURES:
        found = details(event)
        stage.error = found.get("error") or ("States.Timeout" if "TimedOut" in kind else "Unknown")
        stage.cause = found.get("cause")
