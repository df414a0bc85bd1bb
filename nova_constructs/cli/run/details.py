"""Everything that is known of one run, put together from its execution, its history and its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nova_constructs.cli import history
from nova_constructs.cli.awaited import AWAITING, Awaited
from nova_constructs.cli.queued import QUEUED, Queued
from nova_constructs.cli.runs import Runs, asked_to_resume, input_of, run_status, summary

# What the workflow's last stage says of a run, passed on as it is.
_PASSED_ON = (
    "reason",
    "warnings",
    "report_uri",
    "rows",
    "further_rows",
    "mode",
    "start",
    "evaluated",
    "checkpoint_uri",
    "scores",
    "gate",
    "approval",
    "inference",
    "model_arn",
    "deployment_arn",
    "deployment",
    "origin",
    "pointer",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunDetails:
    """Hold one run as `nova run show` prints it."""

    run_id: str
    status: str
    customization: str
    execution_arn: str
    started: datetime
    stopped: datetime | None
    stages: Sequence[history.Stage]
    jobs: Sequence[Mapping[str, Any]]
    transitions: int
    error: str | None
    cause: str | None
    summary: Mapping[str, Any]
    stack: str = ""
    """Stack of the customization, where there is more to ask about the run."""
    queued: Queued | None = None
    """Where the run stands, while it waits for its turn."""
    awaited: Awaited | None = None
    """What the run waits for a person to do."""
    trigger: Mapping[str, Any] | None = None
    """What started the run by itself, as its input says; None where somebody started it."""
    resume: str | None = None
    """The earlier run that it resumes, as its input says."""
    taken: Sequence[Mapping[str, Any]] = ()
    """What it took over of earlier runs and what not, as its ledger says."""

    def as_dict(self) -> dict[str, Any]:
        """Return the run as it is printed with `--json`."""
        seconds = (self.stopped - self.started).total_seconds() if self.stopped else None
        return {
            "run_id": self.run_id,
            "status": self.status,
            "error": self.error,
            "cause": self.cause,
            "customization": self.customization,
            "trigger": dict(self.trigger) if self.trigger else None,
            "resume": self.resume,
            "taken": list(self.taken),
            "execution_arn": self.execution_arn,
            "started": self.started,
            "stopped": self.stopped,
            "seconds": seconds,
            "transitions": self.transitions,
            "stages": [stage.as_dict() for stage in self.stages],
            "jobs": list(self.jobs),
            **{key: self.summary.get(key) for key in _PASSED_ON},
            "queued": self.queued.as_dict() if self.queued else None,
            "awaited": self.awaited.as_dict() if self.awaited else None,
        }


def read_details(runs: Runs, run_id: str) -> RunDetails:
    """Read a run; raise BadInputError if there is none."""
    execution = runs.describe(run_id)
    events = runs.history(run_id)
    running = execution["status"] == "RUNNING"
    told = summary(execution) or (_closed_record(runs, run_id) if not running else {})
    waits = runs.awaited(run_id) if running else None
    turn = runs.queued(run_id) if running and not waits else None
    resume = asked_to_resume(execution)
    return RunDetails(
        run_id=run_id,
        status=AWAITING if waits else QUEUED if turn else run_status(execution),
        queued=turn,
        awaited=waits,
        trigger=_trigger(execution),
        resume=resume,
        taken=runs.taken(run_id) if resume else (),
        customization=runs.customization.name,
        stack=runs.customization.stack,
        execution_arn=execution["executionArn"],
        started=execution["startDate"],
        stopped=execution.get("stopDate"),
        stages=history.stages(events),
        # The registry's order is that of submission; it forgets a job some weeks after the run, the record does not.
        jobs=[job.as_dict() for job in runs.jobs(run_id)] or told.get("jobs", []),
        transitions=history.transitions(events),
        error=execution.get("error") or told.get("error"),
        cause=execution.get("cause") or told.get("cause"),
        summary=told,
    )


def _trigger(execution: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what the input of an execution says of what started it."""
    found = input_of(execution).get("trigger")
    return found if isinstance(found, dict) else None


def _closed_record(runs: Runs, run_id: str) -> dict[str, Any]:
    return runs.record(run_id) or {}
