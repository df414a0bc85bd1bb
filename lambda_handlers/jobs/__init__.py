"""What AWS runs for a stage: one driver per kind of job, and the requests that create them."""

from __future__ import annotations

from functools import cache

from lambda_handlers.jobs.custom_models import CustomModels
from lambda_handlers.jobs.deployments import CustomModelDeployments
from lambda_handlers.jobs.driver import JobDriver, JobState, JobStatus, NameTaken
from lambda_handlers.jobs.training_jobs import TrainingJobs

__all__ = [
    "CustomModelDeployments",
    "CustomModels",
    "JobDriver",
    "JobState",
    "JobStatus",
    "NameTaken",
    "TrainingJobs",
    "driver_for",
]


@cache
def driver_for(kind: str) -> JobDriver:
    """Return the driver of TrainingJob, CustomModel or CustomModelDeployment; raise KeyError for any other kind."""
    drivers: dict[str, JobDriver] = {
        driver.kind: driver for driver in (TrainingJobs(), CustomModels(), CustomModelDeployments())
    }
    return drivers[kind]
