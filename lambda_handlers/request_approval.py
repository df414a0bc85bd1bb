"""Ask people to approve a run's candidate and leave the state waiting for their answer."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.approval.asking import Asking
from lambda_handlers.protocol import clock
from lambda_handlers.protocol.ledger import LedgerClient
from lambda_handlers.protocol.stepfunctions import StepFunctions
from lambda_handlers.protocol.store import run_control_store


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Keep the task token and record the request; the answer goes to the task token."""
    return Asking(
        control=run_control_store(os.environ["RUN_CONTROL_TABLE"]),
        ledger=LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"]),
        tasks=StepFunctions(),
        clock=clock.current(),
    ).ask(event)
