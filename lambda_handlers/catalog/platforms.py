"""Where jobs run and where models are deployed."""

from __future__ import annotations

from enum import StrEnum

from lambda_handlers.catalog.lookup import find


class Platform(StrEnum):
    """Name where jobs run: SageMaker Training Jobs or SageMaker HyperPod."""

    SMTJ = "SMTJ"
    SMHP = "SMHP"


class DeployTarget(StrEnum):
    """Name how Amazon Bedrock serves a model: on demand or with provisioned throughput."""

    BEDROCK_OD = "BEDROCK_OD"
    BEDROCK_PT = "BEDROCK_PT"


def platform(name: str) -> Platform:
    """Return the platform called `name`, or raise UnknownNameError."""
    return find("platform", name, Platform.__members__)


def deploy_target(name: str) -> DeployTarget:
    """Return the deployment target called `name`, or raise UnknownNameError."""
    return find("deployment target", name, DeployTarget.__members__)
