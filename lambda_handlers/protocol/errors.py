"""The errors a state machine can catch: Lambda reports an exception by its class name, so the names are a contract."""

# The names are those a state machine catches, not ours to suffix with "Error".
# ruff: noqa: N818

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

_THROTTLING = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "ProvisionedThroughputExceededException",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "TransactionInProgressException",
    }
)
_SERVER_FAULTS = frozenset(
    {
        "InternalServerException",
        "InternalServerError",
        "InternalFailure",
        "InternalError",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "ServiceException",
        "KmsThrottlingException",
    }
)


class WorkflowError(Exception):
    """Carry one sentence for people and, where several things are wrong at once, each problem on its own."""

    def __init__(self, message: str, *, problems: Sequence[str] = ()) -> None:
        self.message = message
        self.problems = tuple(problems)
        super().__init__(message if not problems else "\n".join((message, *(f"- {each}" for each in problems))))


class InvalidRequest(WorkflowError):
    """Reject an input that can be seen to be wrong before anything is started."""


class DatasetRejected(WorkflowError):
    """Reject a dataset whose rows break its rules beyond the allowed ratio."""


class DataPreparationFailed(WorkflowError):
    """Report that a dataset could not be read or written."""


class RecipeInvalid(WorkflowError):
    """Reject a recipe or override that the hub's specification does not allow."""


class UnsupportedCombination(WorkflowError):
    """Reject a model, method, platform or instance type that do not go together."""


class CostCeilingExceeded(WorkflowError):
    """Refuse to start work whose greatest possible cost is above the ceiling."""


class QuotaExceeded(WorkflowError):
    """Report that the account's quota does not allow the request."""


class CapacityUnavailable(WorkflowError):
    """Report that AWS has no capacity now; trying again later may succeed."""


class JobFailed(WorkflowError):
    """Report that a training job ended in failure."""


class JobStopped(WorkflowError):
    """Report that a job was stopped before it finished."""


class JobTimedOut(WorkflowError):
    """Report that a job did not finish before its deadline."""


class EvaluationFailed(WorkflowError):
    """Report that an evaluation job failed or left no usable result."""


class ModelImportFailed(WorkflowError):
    """Report that Amazon Bedrock could not make a custom model of the checkpoint."""


class DeploymentFailed(WorkflowError):
    """Report that a model could not be deployed, or did not answer once it was."""


class DeploymentExists(WorkflowError):
    """Report that a deployment of that name exists and is not this run's."""


class TransientServiceError(WorkflowError):
    """Report a fault of a service that another try may not meet."""


class RunLocked(WorkflowError):
    """Report that another run of the customization is in progress."""


class TurnAwaited(WorkflowError):
    """Report that another run is in progress and that this one waits for its turn."""


class DuplicateRun(WorkflowError):
    """Report that the same input is running or has already succeeded."""


class ApprovalExpired(WorkflowError):
    """Report that nobody answered an approval request in time."""


class LockLost(WorkflowError):
    """Report that the run no longer holds the lock, so that it may do nothing irreversible."""


class LedgerSealed(WorkflowError):
    """Report that the run's record is closed and takes no further events."""


def error_code(error: BaseException) -> str:
    """Return the AWS error code of a botocore ``ClientError``, or an empty string for anything else."""
    response: Any = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def from_client_error(exc: Exception) -> Exception:
    """Return TransientServiceError for throttling, 5xx answers and lost connections; any other error unchanged."""
    if _is_transient(exc):
        return TransientServiceError(f"{type(exc).__name__}: {exc}")
    return exc


@contextmanager
def service_errors() -> Iterator[None]:
    """Raise what :func:`from_client_error` makes of an error leaving the block."""
    try:
        yield
    except WorkflowError:
        raise
    except Exception as error:
        translated = from_client_error(error)
        if translated is error:
            raise
        raise translated from error


def _is_transient(exc: Exception) -> bool:
    from botocore import exceptions

    if isinstance(exc, exceptions.ClientError):
        status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or status == 429 or error_code(exc) in _THROTTLING | _SERVER_FAULTS
    return isinstance(exc, exceptions.HTTPClientError | exceptions.ConnectionError)
