"""What a training job may have beyond what the SageMaker SDK sends: off unless the platform's settings name it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def job_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return members of CreateTrainingJob that the settings of a platform ask for; none where they ask for nothing.

    Settings: `vpc` (`subnets`, `security_groups`: ids), `encrypt_traffic`, `environment`, `tags`. What belongs into
    ResourceConfig is in :func:`resource_options`. Source: CreateTrainingJob, API reference.
    """
    members = {
        "VpcConfig": _vpc(settings.get("vpc")),
        "EnableInterContainerTrafficEncryption": settings.get("encrypt_traffic"),
        "Environment": settings.get("environment"),
        "Tags": [{"Key": key, "Value": value} for key, value in (settings.get("tags") or {}).items()],
    }
    return {name: value for name, value in members.items() if value}


def resource_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return members of ResourceConfig: `volume_key_arn` for the volumes, `keep_alive_seconds` for the warm pool."""
    members = {
        "VolumeKmsKeyId": settings.get("volume_key_arn"),
        "KeepAlivePeriodInSeconds": settings.get("keep_alive_seconds"),
    }
    return {name: value for name, value in members.items() if value}


def _vpc(settings: Mapping[str, Any] | None) -> dict[str, list[str]] | None:
    if not settings:
        return None
    return {"Subnets": list(settings["subnets"]), "SecurityGroupIds": list(settings["security_groups"])}
