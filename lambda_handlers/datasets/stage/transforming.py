"""Pass one over one shard: its good rows, its rejected rows, its index and what it tells."""

from __future__ import annotations

import orjson

from lambda_handlers.datasets.local_shards import RowWork
from lambda_handlers.datasets.passes.index import IndexWriter
from lambda_handlers.datasets.passes.media_ahead import media_ahead
from lambda_handlers.datasets.passes.shard import transform_shard
from lambda_handlers.datasets.passes.summary import ShardSummary
from lambda_handlers.datasets.reading.reader import read_rows
from lambda_handlers.datasets.reading.rows import LineCount
from lambda_handlers.datasets.shards import Piece, Shard
from lambda_handlers.datasets.stage.placing import run_media
from lambda_handlers.datasets.stage.request import StageRequest
from lambda_handlers.datasets.stage.shard_objects import INDEX, ROWS, SUMMARY, ShardObjects, pinned
from lambda_handlers.datasets.writers import LineBuffer, all_or_none


def transform(objects: ShardObjects, shard: Shard, request: StageRequest) -> None:
    """Make the rows of a shard; the summaries, one for each piece, are written last and tell that all is there."""
    preparation, index = request.preparation, None
    work = RowWork.of(preparation, media=run_media(request, objects))
    if preparation.operations.any():
        index = IndexWriter(objects.sink(shard.number, INDEX), prompts=preparation.operations.no_leak)
    accepted = LineBuffer(objects.sink(shard.number, ROWS))
    with all_or_none(accepted, *([index] if index else [])):
        summaries = [
            _transform_piece(objects, shard.number, number, piece, work, accepted, index)
            for number, piece in enumerate(shard.pieces)
        ]
    objects.write(shard.number, SUMMARY, orjson.dumps([orjson.Fragment(each.to_json()) for each in summaries]))


def rejected_rows(piece: int) -> str:
    """Return the name of the object with the rejected rows of a piece, numbered from the start of the piece."""
    return f"rejected-{piece:03}.jsonl"


def _transform_piece(
    objects: ShardObjects,
    shard: int,
    number: int,
    piece: Piece,
    work: RowWork,
    accepted: LineBuffer,
    index: IndexWriter | None,
) -> ShardSummary:
    lines = LineCount()
    source = pinned(objects.s3, piece)
    quarantine = LineBuffer(objects.sink(shard, rejected_rows(number), rejected=True))
    rows = read_rows(source, start=piece.start, end=piece.end, max_row_bytes=work.max_row_bytes, lines=lines)
    with all_or_none(quarantine):
        summary = transform_shard(
            media_ahead(rows, work.form, work.settings),
            work.form.make(work.settings),
            source=piece.uri,
            accepted=accepted,
            quarantine=quarantine,
            index=index,
        )
    summary.lines = lines.count
    return summary
