"""What the protocol asks of anything that AWS runs for a stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from lambda_handlers.protocol.registry import JobRow

CUSTOMIZATION_TAG: Final = "nova-constructs:customization"
RUN_TAG: Final = "nova-constructs:run"
STAGE_TAG: Final = "nova-constructs:stage"
DIGEST_TAG: Final = "nova-constructs:request-digest"
PREVIOUS_MODEL_TAG: Final = "nova-constructs:previous-model"
"""On what serves a model: the model that the newest update took away, to be put back where a run fails."""
UPDATE_TAG: Final = "nova-constructs:updated-by"
"""On what serves a model: the run of the newest update. Only it may put the model before the update back."""


class NameTaken(Exception):  # noqa: N818 - a finding, not a fault
    """Report that something of that name exists already."""


class JobStatus(StrEnum):
    """Where a job stands, in one vocabulary for all services."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"
    GONE = "GONE"


@dataclass(frozen=True, kw_only=True, slots=True)
class JobState:
    """Describe a job at one moment.

    `output` holds the members a completed job adds to its stage's result; `cause` is the service's own sentence;
    `error` names the error of a failed job where the service tells it apart (capacity, time limit), or is empty;
    `held_until` (seconds since the epoch) is when what a completed job made can first be deleted, 0 for at any time;
    `stopping` tells that a job that still runs was asked to end.
    """

    status: JobStatus
    arn: str = ""
    output: Mapping[str, Any] = field(default_factory=dict)
    cause: str = ""
    error: str = ""
    held_until: int = 0
    stopping: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Instances:
    """Name the instances that a request asks for."""

    type: str
    count: int

    def __str__(self) -> str:
        """Return them in the words that people use, `4 x ml.p5.48xlarge`."""
        return f"{self.count} x {self.type}"


def place_of(request: Mapping[str, Any]) -> dict[str, str]:
    """Return the cluster and namespace that a request is for; empty for what has no place but the account.

    What a job with a place is made of stays there once it has ended, until its driver's `stop` removes it; then its
    name is free again.
    """
    return {name: str(request[name]) for name in ("cluster_name", "namespace") if name in request}


class JobDriver(Protocol):
    """Create, find, describe and stop the jobs of one kind. Names identify jobs; a driver keeps no state."""

    kind: str
    name_limit: int
    stop_deletes: bool
    """Whether `stop` undoes what a completed job left: a custom model, which nobody can stop being made, is deleted."""

    def create(self, name: str, request: Mapping[str, Any], digest: str, tags: Mapping[str, str]) -> str:
        """Create the job and return its ARN; raise NameTaken if the name is in use."""
        ...

    def instances_of(self, request: Mapping[str, Any]) -> Instances | None:
        """Return the instances that a request asks for, None for what runs on none of ours."""
        ...

    def digest_of(self, row: JobRow) -> str | None:
        """Return the request digest the job of the row's name is tagged with, or None."""
        ...

    def describe(self, row: JobRow) -> JobState:
        """Return the state of the row's job, GONE if there is none."""
        ...

    def stop(self, row: JobRow) -> None:
        """Ask the job to end; success if it has ended, is gone, or cannot be deleted yet."""
        ...
