"""One training job as SageMaker keeps it: request, status, transitions, and its description."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nova_constructs.emulator.simulators.store import as_tag_list

TERMINAL = frozenset({"Completed", "Failed", "Stopped"})

_MESSAGES = {
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading the training image",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job stopped because it reached its maximum runtime",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
}


@dataclass(slots=True, kw_only=True)
class TrainingJob:
    """A training job; `status` and `secondary_status` hold the API's values."""

    name: str
    arn: str
    request: Mapping[str, Any] = field(repr=False)
    tags: dict[str, str]
    created: datetime
    status: str = "InProgress"
    secondary_status: str = "Starting"
    modified: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    failure_reason: str | None = None
    transitions: list[dict[str, Any]] = field(default_factory=list, repr=False)
    stop_requested: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def role_arn(self) -> str:
        """Role that the job runs under."""
        return str(self.request["RoleArn"])

    @property
    def output_prefix(self) -> str:
        """URI below which the job writes."""
        return f"{str(self.request['OutputDataConfig']['S3OutputPath']).rstrip('/')}/{self.name}"

    @property
    def hyperparameters(self) -> Mapping[str, str]:
        """Hyperparameters of the request."""
        return self.request.get("HyperParameters") or {}

    def enter(self, secondary: str, now: datetime, status: str = "InProgress", message: str | None = None) -> None:
        """Move to a secondary status."""
        if self.transitions:
            self.transitions[-1]["EndTime"] = now
        self.transitions.append(
            {"Status": secondary, "StartTime": now, "StatusMessage": message or _MESSAGES[secondary]}
        )
        self.status, self.secondary_status, self.modified = status, secondary, now
        if secondary == "Downloading":
            self.started = now
        if status in TERMINAL:
            self.transitions[-1]["EndTime"] = self.ended = now

    def description(self) -> dict[str, Any]:
        """Return what DescribeTrainingJob answers."""
        described = {key: value for key, value in self.request.items() if key != "Tags"}
        described |= {
            "TrainingJobArn": self.arn,
            "TrainingJobStatus": self.status,
            "SecondaryStatus": self.secondary_status,
            "SecondaryStatusTransitions": [dict(each) for each in self.transitions],
            "CreationTime": self.created,
            "LastModifiedTime": self.modified or self.created,
            "ModelArtifacts": {"S3ModelArtifacts": self._artifacts()},
        }
        seconds = int((self.ended - self.started).total_seconds()) if self.ended and self.started else None
        optional = {
            "TrainingStartTime": self.started,
            "TrainingEndTime": self.ended,
            "FailureReason": self.failure_reason,
            "TrainingTimeInSeconds": seconds,
            "BillableTimeInSeconds": seconds,
        }
        return described | {name: value for name, value in optional.items() if value is not None}

    def summary(self) -> dict[str, Any]:
        """Return the job's entry in ListTrainingJobs."""
        shown = {
            "TrainingJobName": self.name,
            "TrainingJobArn": self.arn,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified or self.created,
            "TrainingJobStatus": self.status,
            "SecondaryStatus": self.secondary_status,
        }
        return shown | ({"TrainingEndTime": self.ended} if self.ended else {})

    def event_detail(self) -> dict[str, Any]:
        """Return the detail of a state-change event, with times in epoch milliseconds."""
        detail = _for_event(self.description())
        for name in ("TrainingTimeInSeconds", "BillableTimeInSeconds"):
            detail.pop(name, None)
        return {**detail, "Tags": dict(self.tags)}

    def tag_list(self) -> list[dict[str, str]]:
        """Return the tags as the API lists them."""
        return as_tag_list(self.tags)

    def _artifacts(self) -> str:
        return f"{self.output_prefix}/output/model.tar.gz" if self.status == "Completed" else ""


def _for_event(value: Any) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    if isinstance(value, Mapping):
        return {key: _for_event(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_for_event(item) for item in value]
    return value
