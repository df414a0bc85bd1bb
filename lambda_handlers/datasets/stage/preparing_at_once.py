"""A dataset of one shard: prepared by one call. A larger one is cut, for others to work on."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lambda_handlers.datasets import s3_objects
from lambda_handlers.datasets.earlier_outputs import MANIFEST, QUARANTINE
from lambda_handlers.datasets.preparing import Job, prepare_job
from lambda_handlers.datasets.reading.reader import source_format
from lambda_handlers.datasets.s3_objects import S3Object, S3Sink
from lambda_handlers.datasets.shards import SHARD_BYTES, ObjectToRead, Shard, cut
from lambda_handlers.datasets.stage.placing import run_media
from lambda_handlers.datasets.stage.recording import record
from lambda_handlers.datasets.stage.request import StageRequest
from lambda_handlers.datasets.stage.shard_objects import ShardObjects, pinned
from lambda_handlers.protocol.errors import service_errors
from lambda_handlers.protocol.ledger import Ledger


def prepare_or_cut(request: StageRequest, objects: ShardObjects, ledger: Ledger) -> dict[str, Any]:
    """Prepare the dataset and return where the training data is, or cut it and return where the list of shards is.

    Raises DatasetRejected when the data does not allow training, DataPreparationFailed when it cannot be read or has
    changed since the run was planned.
    """
    with service_errors():
        sources = {item.uri: pinned(objects.s3, item) for item in request.inputs}
        shards = _shards(list(sources.values()))
        if len(shards) > 1 or (request.preparation.operations.any() and _size(request) > SHARD_BYTES):
            return {"shards": objects.write_list(shards)}
        return _prepare(request, objects, sources, ledger)


def _size(request: StageRequest) -> int:
    return sum(item.bytes for item in request.inputs)


def _shards(sources: Sequence[S3Object]) -> list[Shard]:
    return cut(
        ObjectToRead(
            uri=source.uri,
            version_id=source.version_id,
            bytes=source.size,
            can_be_cut=source_format(source).is_splittable,
        )
        for source in sources
    )


def _prepare(
    request: StageRequest, objects: ShardObjects, sources: dict[str, S3Object], ledger: Ledger
) -> dict[str, Any]:
    def find(uri: str) -> Sequence[S3Object]:
        return [sources[uri]] if uri in sources else s3_objects.find(objects.s3, uri)

    job = Job.of(
        list(sources), request.preparation, None, request.no_leak_with, 1, None, find, run_media(request, objects)
    )
    with tempfile.TemporaryDirectory() as scratch:
        prepared, manifest_uri = prepare_job(
            job,
            _RunOutputs(objects, Path(scratch)),
            max_reject_ratio=request.max_reject_ratio,
            with_minimum=True,
        )
    return record(prepared, manifest_uri, request=request, ledger=ledger)


class _RunOutputs:
    """The outputs of a run in its buckets, where nobody reads them before the run says so."""

    def __init__(self, objects: ShardObjects, scratch: Path) -> None:
        self._objects = objects
        self._scratch = scratch

    def sink(self, name: str) -> S3Sink:
        bucket, key = self._objects.output(name, rejected=name == QUARANTINE)
        return S3Sink(self._objects.s3, bucket=bucket, key=key)

    def scratch(self, name: str) -> Path:
        folder = self._scratch / name
        folder.mkdir()
        return folder

    def commit(self, manifest: bytes) -> str:
        bucket, key = self._objects.output(MANIFEST)
        self._objects.s3.put_object(Bucket=bucket, Key=key, Body=manifest)
        return f"s3://{bucket}/{key}"
