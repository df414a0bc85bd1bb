"""Turn the rows of one shard of a large dataset into training data; rejected rows go to quarantine."""

from __future__ import annotations

from typing import Any

from lambda_handlers.datasets.shards import Shard
from lambda_handlers.datasets.stage.request import StageRequest
from lambda_handlers.datasets.stage.shard_objects import ShardObjects
from lambda_handlers.datasets.stage.transforming import transform
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.errors import service_errors


def handler(event: dict[str, Any], _context: object) -> None:
    """Make the rows, the index and the summary of the shard."""
    request = StageRequest.parse(event)
    objects = ShardObjects.of_environment(client("s3"), request.place)
    with service_errors():
        transform(objects, Shard.parse(event["shard"]), request)
