"""Put the parts of a large dataset together, and say what came of it."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.datasets.stage.finishing import finish
from lambda_handlers.datasets.stage.recording import record
from lambda_handlers.datasets.stage.request import StageRequest
from lambda_handlers.datasets.stage.shard_objects import ShardObjects
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.errors import service_errors
from lambda_handlers.protocol.ledger import LedgerClient


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return where the training data is, once every shard has been assembled."""
    request = StageRequest.parse(event)
    objects = ShardObjects.of_environment(client("s3"), request.place)
    with service_errors():
        prepared, manifest_uri = finish(request, objects, event["done"], event["reduced"])
        ledger = LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"])
        return record(prepared, manifest_uri, request=request, ledger=ledger)
