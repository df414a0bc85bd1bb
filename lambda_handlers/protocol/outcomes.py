"""What a state is told about its job: the stage's result, or an error name and a sentence for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from lambda_handlers.inference.stages import BATCH_INFERENCE
from lambda_handlers.jobs.driver import JobState, JobStatus
from lambda_handlers.protocol.errors import (
    CapacityUnavailable,
    DeploymentFailed,
    EvaluationFailed,
    JobFailed,
    JobStopped,
    JobTimedOut,
    ModelImportFailed,
    QuotaExceeded,
    WorkflowError,
)
from lambda_handlers.protocol.registry import JobRow, Outcome

ENDED: Final = (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.STOPPED)
_MOVE_ON: Final = (CapacityUnavailable.__name__, QuotaExceeded.__name__)

_FAILURE_OF_KIND: Final[dict[str, type[WorkflowError]]] = {
    "CustomModel": ModelImportFailed,
    "CustomModelDeployment": DeploymentFailed,
    "DeploymentUpdate": DeploymentFailed,
    "ProvisionedThroughput": DeploymentFailed,
    "ThroughputUpdate": DeploymentFailed,
}


def outcome_of(row: JobRow, state: JobState) -> Outcome:
    """Return what the waiting state is told about a job that has ended or is gone."""
    if state.status is JobStatus.COMPLETED:
        return Outcome(output={"job": _job(row, state), **state.output})
    if state.status is JobStatus.STOPPED:
        error, what = state.error or JobStopped.__name__, "was stopped"
    elif state.status is JobStatus.GONE:
        error, what = _failure(row), "does not exist"
    else:
        error, what = state.error or _failure(row), "failed"
    cause = _sentence(row, what, state.cause)
    return Outcome(error=error, cause=_tried(row, cause) if moves_on(error) else cause)


def refused(row: JobRow, error: QuotaExceeded) -> Outcome:
    """Return what the waiting state is told when the account may not have the instances of one choice of several."""
    return Outcome(error=type(error).__name__, cause=_tried(row, _sentence(row, "was refused", error.message)))


def timed_out(row: JobRow, why: str = "") -> Outcome:
    """Return what the waiting state is told once the deadline has passed; `why` is what the job waited for."""
    deadline = datetime.fromtimestamp(row.deadline, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return Outcome(error=JobTimedOut.__name__, cause=_sentence(row, f"did not finish by {deadline}", why))


def moves_on(error: str) -> bool:
    """Say whether an attempt that ended so is to be followed by one on the next choice of instances."""
    return error in _MOVE_ON


def lacking(row: JobRow) -> tuple[str, ...]:
    """Return the instances that there were none of, the row's own among them."""
    return tuple(dict.fromkeys((*row.lacking, str(row.instances)))) if row.instances else row.lacking


def leaves_job(outcome: Outcome) -> bool:
    """Say whether the job may go on after its state was told: only the deadline decides without the job's end."""
    return outcome.error == JobTimedOut.__name__


def _failure(row: JobRow) -> str:
    if row.stage.startswith(("evaluation", BATCH_INFERENCE)):
        return EvaluationFailed.__name__
    return _FAILURE_OF_KIND.get(row.kind, JobFailed).__name__


def _job(row: JobRow, state: JobState) -> dict[str, Any]:
    return {"stage": row.stage, "kind": row.kind, "name": row.job_name, "arn": state.arn or row.arn}


def _tried(row: JobRow, cause: str) -> str:
    if row.choices == 1:
        return cause
    tried = lacking(row)
    return f"{cause.rstrip('.')}; tried in vain: {', '.join(tried)} ({len(tried)} of {row.choices} choices)"


def _sentence(row: JobRow, what: str, cause: str = "") -> str:
    return f"{row.kind} {row.job_name} of stage {row.stage} {what}{': ' + cause if cause else '.'}"
