"""Where the training jobs of a run track by MLflow: the place that is named or found, and the names there."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from lambda_handlers.checks import mlflow
from lambda_handlers.checks.tracking_probe import REROUTING, TrackingProbes
from lambda_handlers.planning.context import RunContext


def tracking_of(context: RunContext, settings: Mapping[str, Any]) -> dict[str, str] | None:
    """Return `resource_arn` or `uri`, `experiment` and `run` for a job with these settings; None where it tracks not.

    The experiment is the customization unless it is named, the run the run's id. Notes what is wrong with the place,
    which is looked at once.
    """
    named = settings.get("mlflow")
    if named is None:
        return None
    key = (named.get("resource_arn"), named.get("uri"), *_way(settings))
    if key not in context.tracked:
        context.tracked[key] = mlflow.resolve(
            context.findings,
            context.account.sagemaker,
            settings,
            role_arn=context.places.role_arn,
            region=context.places.region,
            probes=TrackingProbes(functions=context.account.functions, deployed=context.places.tracking_probes),
        )
    found = context.tracked[key]
    if found is None:
        return None
    experiment, run = named.get("experiment") or context.places.slug, named.get("run") or context.run_id
    return {**found, "experiment": experiment, "run": run}


def _way(settings: Mapping[str, Any]) -> tuple[Hashable, ...]:
    """Return what else decides whether a job reaches a server: the VPC, and the environment that leads round it."""
    vpc = settings.get("vpc")
    if not vpc:
        return ()
    rerouting = frozenset(REROUTING & set(settings.get("environment") or ()))
    return tuple(vpc["subnets"]), tuple(vpc["security_groups"]), rerouting
