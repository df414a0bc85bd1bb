"""Ask an MLflow server, from the VPC of the jobs, whether it is there."""

from __future__ import annotations

from typing import Any

from lambda_handlers.checks.tracking_server import probe


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the `status` of the server at `uri`, or the `error` for which there is none."""
    return dict(probe(event))
