"""Have Amazon Bedrock serve the run's custom model and leave the state waiting for it."""

from __future__ import annotations

from typing import Any

from lambda_handlers.deployment.deploying import deploy
from lambda_handlers.jobs.environment import submissions


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Submit the deployment, or that of the candidate; its outcome goes to the task token."""
    return deploy(event, submissions())
