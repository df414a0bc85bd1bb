"""The instances that a job may have, in order: the ones wanted, then the alternatives for lack of capacity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_handlers.catalog.platforms import Platform, platform
from lambda_handlers.jobs.driver import Instances

ALTERNATIVES = "alternatives"
EXTRA_INSTANCES = "extra_instances"
"""In the settings of a job: the instances that it takes beyond those it names, to generate, roll out and serve."""


def choices_of(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the settings of a job once for each choice of instances, the one wanted first, without `alternatives`."""
    common = {name: value for name, value in settings.items() if name != ALTERNATIVES}
    return [common, *({**common, **alternative} for alternative in settings.get(ALTERNATIVES) or ())]


def instances_of(settings: Mapping[str, Any]) -> Instances:
    """Return the instances of one choice; the count of an evaluation that names none is 1."""
    return Instances(type=settings["instance_type"], count=settings.get("instance_count") or 1)


def job_kind(settings: Mapping[str, Any]) -> str:
    """Return the kind of job that the settings of a stage are for; settings without a platform are of training jobs."""
    return platform(settings.get("platform", Platform.SMTJ)).job_kind


def on_hyperpod(settings: Mapping[str, Any]) -> bool:
    """Return whether the job that settings are for runs on a HyperPod cluster."""
    return settings.get("platform") == Platform.SMHP


def choice_folder(stage: str, index: int) -> str:
    """Return the name of the folder with the recipe of a stage's choice: `STAGE`, `STAGE-alternative-2` and so on."""
    return f"{stage}-alternative-{index + 1}" if index else stage
