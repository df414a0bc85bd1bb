"""Take a person's answer to a run that waits for approval."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.approval.answering import Answering
from lambda_handlers.approval.attestation import Attestation, get
from lambda_handlers.approval.binding import endpoint_of
from lambda_handlers.protocol import clock
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.ledger import LedgerClient
from lambda_handlers.protocol.stepfunctions import StepFunctions
from lambda_handlers.protocol.store import run_control_store


def handler(event: Any, _context: object) -> dict[str, Any]:
    """Return whether the answer was accepted, and the decision or why not."""
    region = os.environ["AWS_REGION"]
    own = client("sts").generate_presigned_url("get_caller_identity")
    return Answering(
        control=run_control_store(os.environ["RUN_CONTROL_TABLE"]),
        ledger=LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"]),
        tasks=StepFunctions(),
        clock=clock.current(),
        attestation=Attestation(endpoint=endpoint_of(own, region), region=region, send=get),
        workflow=os.environ["STATE_MACHINE_ARN"],
    ).answer(event)
