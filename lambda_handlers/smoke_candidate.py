"""Ask the candidate on its temporary deployment before it takes the place of the model in production."""

from __future__ import annotations

from typing import Any

from lambda_handlers.deployment.smoke import ask_all
from lambda_handlers.protocol.aws import client


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return how many prompts were answered as they should be."""
    return {"answered": len(ask_all(client("bedrock-runtime"), event["deployment_arn"], event["config"]["smoke"]))}
