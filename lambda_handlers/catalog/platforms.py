"""Where jobs run and where models are deployed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from lambda_handlers.catalog.lookup import find


class Platform(StrEnum):
    """Name where jobs run: SageMaker Training Jobs or SageMaker HyperPod."""

    SMTJ = "SMTJ"
    SMHP = "SMHP"

    @property
    def job_kind(self) -> str:
        """Return the kind of job that runs there: a training job of SageMaker, or a PyTorchJob on the cluster."""
        return _JOB_KINDS[self]


class DeployTarget(StrEnum):
    """Name how Amazon Bedrock serves a model: on demand or with provisioned throughput."""

    BEDROCK_OD = "BEDROCK_OD"
    BEDROCK_PT = "BEDROCK_PT"


_JOB_KINDS: Final[Mapping[Platform, str]] = MappingProxyType(
    {Platform.SMTJ: "TrainingJob", Platform.SMHP: "PyTorchJob"}
)


def platform_of_job(kind: str) -> Platform:
    """Return the platform on which jobs of a kind run; raise ValueError for one that trains nothing."""
    for candidate, job_kind in _JOB_KINDS.items():
        if job_kind == kind:
            return candidate
    raise ValueError(f"a {kind} runs on no platform: only {' and '.join(_JOB_KINDS.values())} do")


def platform(name: str) -> Platform:
    """Return the platform called `name`, or raise UnknownNameError."""
    return find("platform", name, Platform.__members__)


def deploy_target(name: str) -> DeployTarget:
    """Return the deployment target called `name`, or raise UnknownNameError."""
    return find("deployment target", name, DeployTarget.__members__)
