"""Roll the pointer back: called by `nova rollback`, and by a rule for an alarm within the bake time."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import Any

from lambda_handlers.deployment.rollback import Rollbacks
from lambda_handlers.protocol import clock
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.ledger import LedgerClient
from lambda_handlers.protocol.store import run_control_store


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return what was done, or why nothing was."""
    return Rollbacks(
        bedrock=client("bedrock"),
        runtime=client("bedrock-runtime"),
        ssm=client("ssm"),
        control=run_control_store(os.environ["RUN_CONTROL_TABLE"]),
        ledger=LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"]),
        clock=clock.current(),
        parameter=os.environ["POINTER_PARAMETER"],
        prompts=json.loads(os.environ["SMOKE_PROMPTS"]),
        bake=timedelta(minutes=float(os.environ["BAKE_MINUTES"])),
    ).answer(event)
