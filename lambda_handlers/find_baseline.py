"""Find a model that the candidate is compared with, and its scores where they are known."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.evaluation.baselines import Baselines
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.ledger import LedgerClient
from lambda_handlers.protocol.store import run_control_store, run_ledger_store


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the known scores, or which model has to be evaluated."""
    return Baselines(
        s3=client("s3"),
        artifacts_bucket=os.environ["ARTIFACTS_BUCKET"],
        control=run_control_store(os.environ["RUN_CONTROL_TABLE"]),
        events=run_ledger_store(os.environ["RUN_LEDGER_TABLE"]),
        ledger=LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"]),
    ).find(event)
