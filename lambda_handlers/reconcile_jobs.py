"""Make good what was missed: called on a schedule."""

from __future__ import annotations

from typing import Any

from lambda_handlers.protocol.deployed import reconciler


def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Make one pass over all open runs and jobs."""
    return dict(reconciler().run())
