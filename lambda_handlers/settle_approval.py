"""End the waiting of a run that nobody answered for in time."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.approval.settling import settle
from lambda_handlers.protocol import clock
from lambda_handlers.protocol.ledger import LedgerClient
from lambda_handlers.protocol.store import run_control_store


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the decision that the run goes on with."""
    return settle(
        event,
        control=run_control_store(os.environ["RUN_CONTROL_TABLE"]),
        ledger=LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"]),
        clock=clock.current(),
    )
