"""Have Amazon Bedrock put the run's custom model behind what serves one, and leave the state waiting for it."""

from __future__ import annotations

from typing import Any

from lambda_handlers.deployment.deploying import update
from lambda_handlers.jobs.environment import submissions


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Submit the update; its outcome goes to the task token."""
    return update(event, submissions())
