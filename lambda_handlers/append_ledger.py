"""Append one event to a run's ledger: the only function that writes it."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.protocol import clock
from lambda_handlers.protocol.ledger import S3Mirror, append
from lambda_handlers.protocol.store import run_ledger_store


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Record the event and return its place in the chain."""
    recorded = append(
        run_ledger_store(os.environ["RUN_LEDGER_TABLE"]),
        S3Mirror(os.environ["AUDIT_BUCKET"]),
        event["run_id"],
        event["event_id"],
        event["type"],
        event["detail"],
        clock.current().now(),
    )
    return {"seq": recorded.seq, "hash": recorded.hash}
