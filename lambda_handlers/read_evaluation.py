"""Read the scores that an evaluation job left."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.evaluation import results
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.ledger import LedgerClient


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the record of one evaluation."""
    return results.read_evaluation(
        event,
        s3=client("s3"),
        artifacts_bucket=os.environ["ARTIFACTS_BUCKET"],
        ledger=LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"]),
    )
