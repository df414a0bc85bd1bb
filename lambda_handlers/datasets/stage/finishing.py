"""The end: one object of all parts of a kind, hashed as it lies there, and the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from lambda_handlers.datasets import s3_objects
from lambda_handlers.datasets.earlier_outputs import MANIFEST, QUARANTINE
from lambda_handlers.datasets.forms.registry import form_of
from lambda_handlers.datasets.passes import outcome
from lambda_handlers.datasets.passes.manifest import Prepared, ReadObject
from lambda_handlers.datasets.passes.splitting import PARTS
from lambda_handlers.datasets.passes.summary import merge
from lambda_handlers.datasets.shards import Shard
from lambda_handlers.datasets.stage.assembling import part_names
from lambda_handlers.datasets.stage.joining import StoredObject, join
from lambda_handlers.datasets.stage.reducing import read_summaries
from lambda_handlers.datasets.stage.request import StageRequest
from lambda_handlers.datasets.stage.shard_objects import ShardObjects, check_done
from lambda_handlers.datasets.writers import WrittenObject
from lambda_handlers.protocol.errors import DataPreparationFailed


def finish(
    request: StageRequest, objects: ShardObjects, done: Sequence[Any], reduced: Mapping[str, Any]
) -> tuple[Prepared, str]:
    """Put the parts of all shards together; return the result and where the manifest is.

    `done` is what the Map over the shards returned, `reduced` what `reduce` did. Raises DataPreparationFailed when a
    shard was lost or a row is missing.
    """
    shards = objects.read_list()
    check_done(done, len(shards))
    preparation, assigned = request.preparation, reduced.get("assigned")
    summary = merge(list(chain.from_iterable(read_summaries(objects, shard) for shard in shards)))
    form = form_of(preparation)
    expected = [assigned[part] for part in PARTS] if assigned else [summary.accepted]
    outputs = [form.output, *(f"{part}.jsonl" for part in PARTS[1:])]
    written = [
        _join(objects, shards, part, output, rows=rows)
        for part, output, rows in zip(part_names(preparation), outputs, expected, strict=False)
    ]
    written.append(_join(objects, shards, QUARANTINE, QUARANTINE, rows=summary.rejected, rejected=True))
    prepared = outcome.conclude(
        preparation,
        form,
        summary,
        assigned=assigned,
        inputs=request.inputs,
        evaluation_sets=[ReadObject(**facts) for facts in reduced["evaluation_sets"]],
        outputs=written,
        max_reject_ratio=request.max_reject_ratio,
        with_minimum=True,
    )
    bucket, key = objects.output(MANIFEST)
    objects.s3.put_object(Bucket=bucket, Key=key, Body=prepared.manifest.to_json())
    return prepared, f"s3://{bucket}/{key}"


def _join(
    objects: ShardObjects, shards: Sequence[Shard], part: str, output: str, *, rows: int, rejected: bool = False
) -> WrittenObject:
    bucket, key = objects.output(output, rejected=rejected)
    found = [_stored(objects, bucket, objects.key(shard.number, part)) for shard in shards]
    join(objects.s3, found, bucket=bucket, key=key)
    written = _facts(objects.s3, bucket, key)
    if written.rows != rows:
        raise DataPreparationFailed(f"{written.uri} has {written.rows} rows where there should be {rows}")
    return written


def _stored(objects: ShardObjects, bucket: str, key: str) -> StoredObject:
    return StoredObject(bucket=bucket, key=key, size=objects.s3.head_object(Bucket=bucket, Key=key)["ContentLength"])


def _facts(s3: Any, bucket: str, key: str) -> WrittenObject:
    """Read an object to say what it holds: hashes of parts do not make the hash of the whole."""
    digest, size, rows = hashlib.sha256(), 0, 0
    for block in s3_objects.chunks(s3, bucket=bucket, key=key, version_id=None):
        digest.update(block)
        size += len(block)
        rows += block.count(b"\n")
    return WrittenObject(uri=f"s3://{bucket}/{key}", sha256=digest.hexdigest(), bytes=size, rows=rows)
