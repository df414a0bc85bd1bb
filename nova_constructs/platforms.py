"""Where training and evaluation run, as value objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aws_cdk import Duration, Size

MAX_RUNTIME = Duration.days(28)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingJobs:
    """SageMaker Training Jobs (SMTJ).

    `max_runtime` (default 1 day, at most 28) bounds the job itself, `max_pending` (default 1 day, 30 minutes to 28
    days) the wait for capacity; the deadline is their sum. `volume_size` defaults to 30 GiB, as the seed SDK sends.
    Source: CreateTrainingJob, StoppingCondition and ResourceConfig.
    """

    instance_type: str
    instance_count: int
    max_runtime: Duration = field(default_factory=lambda: Duration.days(1))
    max_pending: Duration = field(default_factory=lambda: Duration.days(1))
    volume_size: Size = field(default_factory=lambda: Size.gibibytes(30))

    kind = "SMTJ"

    @property
    def deadline(self) -> Duration:
        """How long a job may take from submission to its end."""
        return self.max_runtime.plus(self.max_pending)

    def problems(self) -> list[str]:
        """Return what cannot work, each with the value received and what is allowed."""
        found = []
        if not 1 <= self.max_runtime.to_seconds() <= MAX_RUNTIME.to_seconds():
            found.append(f"max_runtime is {self.max_runtime.to_human_string()}: use 1 second to 28 days")
        if not 1800 <= self.max_pending.to_seconds() <= MAX_RUNTIME.to_seconds():
            found.append(f"max_pending is {self.max_pending.to_human_string()}: use 30 minutes to 28 days")
        if self.instance_count < 1:
            found.append(f"instance_count is {self.instance_count}: use 1 or more")
        return found

    def config(self) -> dict[str, Any]:
        """Return the platform as the functions read it, times in seconds and sizes in GiB."""
        return {
            "platform": self.kind,
            "instance_type": self.instance_type,
            "instance_count": self.instance_count,
            "max_runtime_seconds": self.max_runtime.to_seconds(),
            "max_pending_seconds": self.max_pending.to_seconds(),
            "volume_size_gb": self.volume_size.to_gibibytes(),
        }
