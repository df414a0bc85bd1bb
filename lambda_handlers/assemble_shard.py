"""Put the rows of one shard of a large dataset where they belong: training, validation, test or nowhere."""

from __future__ import annotations

from typing import Any

from lambda_handlers.datasets.shards import Shard
from lambda_handlers.datasets.stage.assembling import assemble
from lambda_handlers.datasets.stage.request import StageRequest
from lambda_handlers.datasets.stage.shard_objects import ShardObjects
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.errors import service_errors


def handler(event: dict[str, Any], _context: object) -> None:
    """Write the parts of the shard."""
    request = StageRequest.parse(event)
    objects = ShardObjects.of_environment(client("s3"), request.place)
    with service_errors():
        assemble(objects, Shard.parse(event["shard"]), request.preparation)
