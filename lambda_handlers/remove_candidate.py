"""Delete the temporary deployment on which the candidate was asked."""

from __future__ import annotations

from typing import Any

from lambda_handlers.deployment.deploying import remove_candidate
from lambda_handlers.protocol.aws import client


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return what was deleted."""
    return remove_candidate(event, client("bedrock"))
