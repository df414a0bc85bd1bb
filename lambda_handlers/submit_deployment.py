"""Have Amazon Bedrock deploy the run's custom model on demand and leave the state waiting for it."""

from __future__ import annotations

from typing import Any

from lambda_handlers.deployment import requests
from lambda_handlers.jobs.environment import submissions


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Submit the deployment; its outcome goes to the task token."""
    request = requests.deployment(model_arn=event["model_arn"])
    return submissions().submit(event, stage="deployment", kind="CustomModelDeployment", requests=[request])
