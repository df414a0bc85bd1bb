"""Make the run's deployment production once it has answered."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.deployment.promotion import promote
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.ledger import LedgerClient
from lambda_handlers.protocol.store import run_control_store


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the pointer's name and what it showed before and shows now."""
    return promote(
        event,
        control=run_control_store(os.environ["RUN_CONTROL_TABLE"]),
        runtime=client("bedrock-runtime"),
        ssm=client("ssm"),
        parameter=os.environ["POINTER_PARAMETER"],
        ledger=LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"]),
    )
