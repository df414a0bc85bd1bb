"""Freeze the rows that the candidate and the models it is compared with are asked."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.evaluation.frozen import Freezer
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.ledger import LedgerClient
from lambda_handlers.protocol.store import run_control_store, run_ledger_store


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return where the evaluation set of each task is, with its hash and its rows."""
    return Freezer(
        s3=client("s3"),
        control=run_control_store(os.environ["RUN_CONTROL_TABLE"]),
        events=run_ledger_store(os.environ["RUN_LEDGER_TABLE"]),
        ledger=LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"]),
        prepared_bucket=os.environ["PREPARED_BUCKET"],
    ).freeze(event)
