"""Have Amazon Bedrock make a custom model of the run's checkpoint, or take an earlier one of it; the state waits."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.deployment.importing import import_model
from lambda_handlers.jobs.environment import submissions
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.stepfunctions import StepFunctions


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Submit the model import; its outcome goes to the task token."""
    return import_model(
        event,
        submissions=submissions(),
        bedrock=client("bedrock"),
        tasks=StepFunctions(),
        role_arn=os.environ["IMPORT_ROLE_ARN"],
    )
