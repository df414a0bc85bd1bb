"""Turn the run's dataset into training data; rejected rows go to quarantine."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.datasets.stage import Buckets, prepare_run
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.ledger import LedgerClient


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Prepare the dataset that the plan pinned."""
    return prepare_run(
        event,
        s3=client("s3"),
        buckets=Buckets(prepared=os.environ["PREPARED_BUCKET"], quarantine=os.environ["QUARANTINE_BUCKET"]),
        ledger=LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"]),
    )
