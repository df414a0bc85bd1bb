"""Decide about the rows of all shards of a large dataset together: duplicates, limit, split and leakage."""

from __future__ import annotations

from typing import Any

from lambda_handlers.datasets.stage.reducing import reduce
from lambda_handlers.datasets.stage.request import StageRequest
from lambda_handlers.datasets.stage.shard_objects import ShardObjects
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.errors import service_errors


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return how many rows go where, once every shard has been transformed."""
    request = StageRequest.parse(event)
    objects = ShardObjects.of_environment(client("s3"), request.place)
    with service_errors():
        return reduce(request, objects, event["done"])
