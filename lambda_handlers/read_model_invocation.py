"""Write the results of an Amazon Bedrock batch inference job."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.inference import bedrock_results
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.ledger import LedgerClient


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the record of the batch inference."""
    return bedrock_results.read_results(
        event, s3=client("s3"), ledger=LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"])
    )
