"""Check what jobs use beyond data, role and key: functions that score, the VPC, and where they track."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lambda_handlers.catalog.addresses import addresses
from lambda_handlers.checks import function, network
from lambda_handlers.jobs.choices import choices_of
from lambda_handlers.planning.context import RunContext
from lambda_handlers.planning.tracking import tracking_of
from lambda_handlers.planning.training_checks import TRAINING

Job = tuple[str, Mapping[str, Any]]


def check_resources(context: RunContext, jobs: Sequence[Job]) -> None:
    """Note what of it jobs, stage and settings, cannot use."""
    account, places = context.account, context.places
    for arn in functions_of(jobs):
        context.functions[arn] = function.check(context.findings, account.functions, arn, places.region)
    for vpc in vpcs_of(jobs):
        network.check(context.findings, account.ec2, vpc, _addresses(jobs, vpc))
    mlflow_arns(context, jobs)


def functions_of(jobs: Iterable[Job]) -> list[str]:
    """Return the ARNs of the functions that jobs call, each once."""
    return list(dict.fromkeys(arn for _, settings in jobs for arn in function.functions_called(settings)))


def vpcs_of(jobs: Iterable[Job]) -> list[Mapping[str, Any]]:
    """Return the VPCs of jobs, each once."""
    found: list[Mapping[str, Any]] = []
    for _, settings in jobs:
        vpc = settings.get("vpc")
        if vpc and vpc not in found:
            found.append(vpc)
    return found


def mlflow_arns(context: RunContext, jobs: Iterable[Job]) -> list[str]:
    """Return the tracking servers and apps that jobs report to, named or found; notes why one cannot be used."""
    tracked = [tracking_of(context, settings) for _, settings in jobs]
    return list(dict.fromkeys(each["resource_arn"] for each in tracked if each and "resource_arn" in each))


def _addresses(jobs: Iterable[Job], vpc: Mapping[str, Any]) -> int:
    """Return how many addresses jobs take of a VPC at once: each training alone, then all evaluations together."""
    alone, together = 0, 0
    for stage, settings in jobs:
        if settings.get("vpc") != vpc:
            continue
        wanted = max(
            addresses(choice["instance_type"]) * (choice.get("instance_count") or 1) for choice in choices_of(settings)
        )
        if stage.startswith(TRAINING):
            alone = max(alone, wanted)
        else:
            together += wanted
    return max(alone, together)
