"""What somebody can do about a run that failed, by the error it ended with."""

from __future__ import annotations

from typing import Final

from lambda_handlers.notifying.notice import Place
from lambda_handlers.protocol.errors import (
    CapacityUnavailable,
    CostCeilingExceeded,
    DataPreparationFailed,
    DatasetRejected,
    DeploymentExists,
    DeploymentFailed,
    EvaluationFailed,
    InvalidRequest,
    JobFailed,
    JobStopped,
    JobTimedOut,
    LockLost,
    ModelImportFailed,
    QuotaExceeded,
    RecipeInvalid,
    TransientServiceError,
    UnsupportedCombination,
)
from lambda_handlers.protocol.reconciling import TOO_OLD

_CORRECT: Final = (InvalidRequest, RecipeInvalid, UnsupportedCombination)
_OF_JOBS: Final = (JobFailed, JobStopped, JobTimedOut, EvaluationFailed)
_OF_DEPLOYING: Final = (ModelImportFailed, DeploymentFailed, DeploymentExists)
_WORDS: Final = {
    **dict.fromkeys((each.__name__ for each in _CORRECT), "Correct what the message names, then start the run again."),
    DatasetRejected.__name__: "Correct the rows that its quarantine names and upload the dataset again, or let more "
    "rows be rejected (data.max_reject_ratio).",
    DataPreparationFailed.__name__: "See that the dataset can be read and does not change while a run reads it, then "
    "start the run again.",
    CostCeilingExceeded.__name__: "Raise cost_ceiling, or let the run take fewer instances or less time.",
    QuotaExceeded.__name__: "Ask Service Quotas for what the message names, or name other instances "
    "(platform.alternatives).",
    CapacityUnavailable.__name__: "Start the run again later, or name other instances (platform.alternatives).",
    TransientServiceError.__name__: "Start the run again: a service of AWS did not answer in time.",
    LockLost.__name__: "Look at the run that holds the lock: this one was closed while a function of it still worked.",
    TOO_OLD: "Look at what the run waited for; max_run_age says how long one may be open.",
    "ABORTED": "Start the run again if that was not wanted.",
    "AccessDenied": "Allow the role that the message names what it was denied, then start the run again.",
}


def next_step(error: str, run: str, place: Place) -> str:
    """Return what to do about a run that ended with this error."""
    if error in {each.__name__ for each in _OF_JOBS}:
        on = place.command("run", "resume", run)
        return f"Look at the log of the job: {place.command('logs', run)}\nThen go on with what is done: {on}"
    if error in {each.__name__ for each in _OF_DEPLOYING}:
        again = place.command("run", "start", "--mode", "deploy", "--base-run", run)
        return f"Deploy again once the cause is gone, without training again: {again}"
    return _WORDS.get(error) or "Look at what the run did, then start it again."
