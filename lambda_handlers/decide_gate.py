"""Decide whether the candidate of a run may become production."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.evaluation import gate
from lambda_handlers.protocol.ledger import LedgerClient
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.store import run_control_store


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the verdict and how each criterion came out."""
    return gate.decide_run(
        event,
        ledger=LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"]),
        pointer=Pointer(run_control_store(os.environ["RUN_CONTROL_TABLE"])),
    )
