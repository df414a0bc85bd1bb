"""Leave a run waiting for its turn."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.protocol.queueing import Queue
from lambda_handlers.protocol.stepfunctions import StepFunctions
from lambda_handlers.protocol.store import run_control_store


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Keep the task token of the waiting state; whoever passes the lock on answers it."""
    queue = Queue(store=run_control_store(os.environ["RUN_CONTROL_TABLE"]), tasks=StepFunctions())
    order = f"{event['entered']} {int(event['retry']):06d}"
    return queue.wait(str(event["run"]["id"]), str(event["token"]), order)
