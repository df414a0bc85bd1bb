"""Decide about the rows of all shards of a large dataset together: duplicates, limit, split and leakage."""

from __future__ import annotations

import tempfile
from itertools import chain
from pathlib import Path
from typing import Any

from lambda_handlers.datasets import s3_objects
from lambda_handlers.datasets.stage.reducing import reduce
from lambda_handlers.datasets.stage.request import StageRequest
from lambda_handlers.datasets.stage.shard_objects import ShardObjects, check_done
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.errors import service_errors


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return how many rows go where, once every shard has been transformed."""
    check_done(event["done"], event["shards"]["count"])
    request, s3 = StageRequest.parse(event), client("s3")
    objects = ShardObjects.of_environment(s3, request.run.id)
    with service_errors(), tempfile.TemporaryDirectory() as scratch:
        sets = list(chain.from_iterable(s3_objects.find(s3, uri) for uri in request.no_leak_with))
        return reduce(objects, objects.read_list(), request.preparation, sets, Path(scratch))
