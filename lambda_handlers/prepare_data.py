"""Turn the run's dataset into training data, or cut it for others to do so; rejected rows go to quarantine."""

from __future__ import annotations

import os
from typing import Any

from lambda_handlers.datasets.stage.preparing_at_once import prepare_or_cut
from lambda_handlers.datasets.stage.request import StageRequest
from lambda_handlers.datasets.stage.shard_objects import ShardObjects
from lambda_handlers.datasets.stage.taking import take_earlier
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.ledger import LedgerClient
from lambda_handlers.protocol.store import run_ledger_store


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Prepare the dataset that the plan pinned, or return its shards; take what the run that is resumed prepared."""
    request = StageRequest.parse(event)
    objects = ShardObjects.of_environment(client("s3"), request.place)
    ledger = LedgerClient(os.environ["APPEND_LEDGER_FUNCTION"])
    events = run_ledger_store(os.environ["RUN_LEDGER_TABLE"])
    return take_earlier(request, objects, events, ledger) or prepare_or_cut(request, objects, ledger)
