"""The Kubernetes objects of a planned job, made as those of a run are, under a name that stands for the job's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers.hyperpod.objects import Object, Setting, job_objects
from lambda_handlers.jobs.pytorch_request import request_of_recipe
from lambda_handlers.planning.places import Places
from lambda_handlers.training.recipe import ResolvedRecipe

JOB_TO_COME: Final = "planned"
"""Stands for the name of a job, which is made when it is submitted."""


def planned_objects(request: Mapping[str, Any], places: Places) -> list[Object]:
    """Return the objects of a request for a PyTorchJob in the order of their creation.

    Raises InvalidRequest for a payload that no job can be made of.
    """
    account = places.key_arn.split(":")[4]
    return job_objects(request, Setting(name=JOB_TO_COME, region=places.region, account=account, tags={}))


def objects_of_job(
    settings: Mapping[str, Any], resolved: ResolvedRecipe, places: Places, output_uri: str
) -> list[Object]:
    """Return the objects of a job by its settings and its recipe."""
    return planned_objects(request_of_recipe(settings, resolved, output_uri), places)
