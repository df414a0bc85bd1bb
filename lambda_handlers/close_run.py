"""Close a run: called by its workflow, and by a rule for an execution that ended without calling."""

from __future__ import annotations

from typing import Any

from lambda_handlers.protocol.closing import ending_of
from lambda_handlers.protocol.deployed import closer


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Close the run and return how it ended."""
    return closer().close(ending_of(event))
