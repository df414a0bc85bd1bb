"""Remove the models and deployments that the run's promotion has made superfluous."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.deployment.retiring import Retiring
from lambda_handlers.protocol import clock
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.ledger import LedgerClient
from lambda_handlers.protocol.store import run_control_store


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return how many were removed and how many were left."""
    return Retiring(
        bedrock=client("bedrock"),
        control=run_control_store(os.environ["RUN_CONTROL_TABLE"]),
        ledger=LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"]),
        clock=clock.current(),
        customization=os.environ["CUSTOMIZATION"],
        slug=os.environ["SLUG"],
    ).retire(event)
