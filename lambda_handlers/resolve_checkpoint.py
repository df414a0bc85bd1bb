"""Find the checkpoint that the training job of a run left."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.ledger import LedgerClient
from lambda_handlers.training import checkpoint


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the checkpoint and the platform it can be used on."""
    return dict(checkpoint.resolve(event, s3=client("s3"), ledger=LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"])))
