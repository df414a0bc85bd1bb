"""What a training job may have beyond what the SageMaker SDK sends: off unless the platform's settings name it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

TENSORBOARD_FOLDER: Final = "/opt/ml/output/tensorboard"
"""Where a container writes for TensorBoard (CreateTrainingJob, TensorBoardOutputConfig, the default of LocalPath)."""


def job_options(settings: Mapping[str, Any], output_uri: str) -> dict[str, Any]:
    """Return members of CreateTrainingJob that the settings of a platform ask for; none where they ask for nothing.

    Settings: `vpc` (`subnets`, `security_groups`: ids), `encrypt_traffic`, `environment`, `tags`, `tensorboard`, which
    goes to the job's folder below `output_uri`. What belongs into ResourceConfig is in :func:`resource_options`.
    Source: CreateTrainingJob, API reference.
    """
    tensorboard = {"LocalPath": TENSORBOARD_FOLDER, "S3OutputPath": output_uri}
    members = {
        "TensorBoardOutputConfig": tensorboard if settings.get("tensorboard") else None,
        "VpcConfig": _vpc(settings.get("vpc")),
        "EnableInterContainerTrafficEncryption": settings.get("encrypt_traffic"),
        "Environment": settings.get("environment"),
        "Tags": [{"Key": key, "Value": value} for key, value in (settings.get("tags") or {}).items()],
    }
    return {name: value for name, value in members.items() if value}


def mlflow_config(tracking: Mapping[str, Any] | None) -> dict[str, dict[str, str]]:
    """Return MlflowConfig for a SageMaker server or app (`resource_arn`, `experiment`, `run`), else nothing.

    A server that is not SageMaker's is the recipe's affair alone.
    """
    if not tracking or not tracking.get("resource_arn"):
        return {}
    members = {"MlflowExperimentName": tracking.get("experiment"), "MlflowRunName": tracking.get("run")}
    named = {name: value for name, value in members.items() if value}
    return {"MlflowConfig": {"MlflowResourceArn": tracking["resource_arn"], **named}}


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
