"""Between the passes: decide about the rows of all shards together, and tell each shard what it has to know."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from lambda_handlers.datasets import s3_objects
from lambda_handlers.datasets.forms.registry import form_of
from lambda_handlers.datasets.passes.evaluation_prompts import prompts_of
from lambda_handlers.datasets.passes.measured import Measured
from lambda_handlers.datasets.passes.reduction import Assignment, assign
from lambda_handlers.datasets.passes.summary import ShardSummary, bases, check_none_empty
from lambda_handlers.datasets.preparation import Preparation
from lambda_handlers.datasets.shards import Shard
from lambda_handlers.datasets.stage.request import StageRequest
from lambda_handlers.datasets.stage.shard_objects import ASSIGNMENT, BASES, INDEX, SUMMARY, ShardObjects, check_done


def reduce(request: StageRequest, objects: ShardObjects, done: Sequence[Any]) -> dict[str, Any]:
    """Write for each shard where its rows begin and, with operations, where each goes; return counts and sets read.

    `done` is what the Map over the shards returned. Raises DataPreparationFailed when a shard was lost.
    """
    shards = objects.read_list()
    check_done(done, len(shards))
    summaries = [read_summaries(objects, shard) for shard in shards]
    check_none_empty(chain.from_iterable(summaries))
    _write_bases(objects, summaries)
    if not request.preparation.operations.any():
        return {"assigned": None, "evaluation_sets": []}
    found = chain.from_iterable(s3_objects.find(objects.s3, uri) for uri in request.no_leak_with)
    return _assign(request.preparation, objects, summaries, [Measured(source) for source in found])


def _assign(
    preparation: Preparation,
    objects: ShardObjects,
    summaries: Sequence[Sequence[ShardSummary]],
    compared: Sequence[Measured],
) -> dict[str, Any]:
    good = [sum(each.accepted for each in pieces) for pieces in summaries]
    with (
        tempfile.TemporaryDirectory() as scratch,
        assign(
            chain.from_iterable(objects.blocks(number, INDEX) for number in range(len(good))),
            rows=sum(good),
            operations=preparation.operations,
            evaluation_prompts=prompts_of(compared, preparation, form_of(preparation)),
            scratch=Path(scratch),
        ) as assignment,
    ):
        _write_assignments(objects, assignment, good)
        counts = assignment.counts()
    return {"assigned": counts, "evaluation_sets": [asdict(measured.facts()) for measured in compared]}


def read_summaries(objects: ShardObjects, shard: Shard) -> list[ShardSummary]:
    """Return what a shard tells about each of its pieces; raise DataPreparationFailed when it was lost."""
    found = orjson.loads(objects.read(shard.number, SUMMARY))
    return [ShardSummary.from_json(orjson.dumps(each)) for each in found]


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
