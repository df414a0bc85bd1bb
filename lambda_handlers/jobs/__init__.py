"""What AWS runs for a stage: one driver per kind of job, and the requests that create them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from lambda_handlers.jobs.custom_models import CustomModels
from lambda_handlers.jobs.deployment_updates import DeploymentUpdates
from lambda_handlers.jobs.deployments import CustomModelDeployments
from lambda_handlers.jobs.driver import JobDriver, JobState, JobStatus, NameTaken
from lambda_handlers.jobs.invocation_jobs import ModelInvocationJobs
from lambda_handlers.jobs.throughput_updates import ThroughputUpdates
from lambda_handlers.jobs.throughputs import ProvisionedThroughputs
from lambda_handlers.jobs.training_jobs import TrainingJobs

__all__ = [
    "CustomModelDeployments",
    "CustomModels",
    "DeploymentUpdates",
    "JobDriver",
    "JobState",
    "JobStatus",
    "ModelInvocationJobs",
    "NameTaken",
    "ProvisionedThroughputs",
    "ThroughputUpdates",
    "TrainingJobs",
    "driver_for",
]


def _pytorch_jobs() -> JobDriver:
    # What a cluster is spoken with uses this package in its turn, and most functions never speak with one.
    from lambda_handlers.jobs.pytorch_jobs import PyTorchJobs

    return PyTorchJobs()


_DRIVERS: Final[tuple[Callable[[], JobDriver], ...]] = (
    TrainingJobs,
    _pytorch_jobs,
    CustomModels,
    CustomModelDeployments,
    DeploymentUpdates,
    ProvisionedThroughputs,
    ThroughputUpdates,
    ModelInvocationJobs,
)


@cache
def driver_for(kind: str) -> JobDriver:
    """Return the driver of a kind of job; raise KeyError for a kind that there is none of."""
    return {driver.kind: driver for driver in (make() for make in _DRIVERS)}[kind]
