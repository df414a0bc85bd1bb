"""Turn the run's dataset into training data, or cut it for others to do so; rejected rows go to quarantine."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.datasets.stage.preparing_at_once import prepare_or_cut
from lambda_handlers.datasets.stage.request import StageRequest
from lambda_handlers.datasets.stage.shard_objects import ShardObjects
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.ledger import LedgerClient


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Prepare the dataset that the plan pinned, or return its shards."""
    request = StageRequest.parse(event)
    objects = ShardObjects.of_environment(client("s3"), request.place)
    return prepare_or_cut(request, objects, LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"]))
