"""Between the passes: decide about the rows of all shards together, and tell each shard what it has to know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from lambda_handlers.datasets.forms.registry import form_of
from lambda_handlers.datasets.passes.evaluation_prompts import prompt_hashes
from lambda_handlers.datasets.passes.measured import Measured
from lambda_handlers.datasets.passes.reduction import Assignment, assign
from lambda_handlers.datasets.passes.summary import ShardSummary, bases
from lambda_handlers.datasets.preparation import Preparation
from lambda_handlers.datasets.reading.reader import no_rows, read_rows
from lambda_handlers.datasets.reading.rows import SourceObject
from lambda_handlers.datasets.shards import Shard
from lambda_handlers.datasets.stage.shard_objects import ASSIGNMENT, BASES, INDEX, SUMMARY, ShardObjects


def reduce(
    objects: ShardObjects,
    shards: Sequence[Shard],
    preparation: Preparation,
    evaluation_sets: Sequence[SourceObject],
    scratch: Path,
) -> dict[str, Any]:
    """Write for each shard where its rows begin and, with operations, where each goes; return counts and sets read."""
    summaries = [read_summaries(objects, shard) for shard in shards]
    _check_none_empty(summaries)
    _write_bases(objects, summaries)
    if not preparation.operations.any():
        return {"assigned": None, "evaluation_sets": []}
    compared = [Measured(source) for source in evaluation_sets]
    good = [sum(each.accepted for each in pieces) for pieces in summaries]
    with assign(
        chain.from_iterable(objects.blocks(shard.number, INDEX) for shard in shards),
        rows=sum(good),
        operations=preparation.operations,
        evaluation_prompts=_prompts(compared, preparation),
        scratch=scratch,
    ) as assignment:
        _write_assignments(objects, assignment, good)
        counts = assignment.counts()
    return {"assigned": counts, "evaluation_sets": [asdict(measured.facts()) for measured in compared]}


def read_summaries(objects: ShardObjects, shard: Shard) -> list[ShardSummary]:
    """Return what a shard tells about each of its pieces; raise DataPreparationFailed when it was lost."""
    found = orjson.loads(objects.read(shard.number, SUMMARY))
    return [ShardSummary.from_json(orjson.dumps(each)) for each in found]


def _check_none_empty(summaries: Iterable[Iterable[ShardSummary]]) -> None:
    """Refuse an object without rows, as one call does: a range of it cannot tell."""
    rows: Counter[str] = Counter()
    for each in chain.from_iterable(summaries):
        rows[each.source] += each.rows
    for source, count in rows.items():
        if not count:
            raise no_rows(source)


def _write_bases(objects: ShardObjects, summaries: Sequence[Sequence[ShardSummary]]) -> None:
    before = bases(chain.from_iterable(summaries))
    for number, pieces in enumerate(summaries):
        objects.write(number, BASES, orjson.dumps([asdict(next(before)) for _ in pieces]))


def _write_assignments(objects: ShardObjects, assignment: Assignment, good: Sequence[int]) -> None:
    start = 0
    for number, rows in enumerate(good):
        with assignment.between(start, start + rows) as codes:
            objects.write(number, ASSIGNMENT, bytes(codes))
        start += rows


def _prompts(compared: Sequence[Measured], preparation: Preparation) -> Iterator[bytes]:
    return chain.from_iterable(
        prompt_hashes(
            read_rows(measured, max_row_bytes=preparation.max_row_bytes),
            source=measured.uri,
            columns=preparation.columns,
            form=form_of(preparation),
        )
        for measured in compared
    )
