"""Pass two over one shard: its good rows go to their parts, its rejected rows get their numbers."""

from __future__ import annotations

import orjson

from lambda_handlers.datasets.earlier_outputs import QUARANTINE
from lambda_handlers.datasets.passes import assembly
from lambda_handlers.datasets.passes.splitting import PARTS
from lambda_handlers.datasets.passes.summary import Base
from lambda_handlers.datasets.preparation import Preparation
from lambda_handlers.datasets.shards import Shard
from lambda_handlers.datasets.stage.shard_objects import ASSIGNMENT, BASES, ROWS, ShardObjects
from lambda_handlers.datasets.stage.transforming import rejected_rows
from lambda_handlers.datasets.writers import LineBuffer, all_or_none


def assemble(objects: ShardObjects, shard: Shard, preparation: Preparation) -> None:
    """Write the parts of a shard; without operations its good rows are the part for training as they are."""
    _number_rejected(objects, shard)
    if not preparation.operations.any():
        return
    names = part_names(preparation)
    writers = [LineBuffer(objects.sink(shard.number, name)) for name in names]
    with all_or_none(*writers):
        assembly.assemble(
            objects.blocks(shard.number, ROWS), objects.read(shard.number, ASSIGNMENT), dict(enumerate(writers))
        )


def part_names(preparation: Preparation) -> list[str]:
    """Return the names of the objects of a shard that hold its parts, for training first."""
    operations = preparation.operations
    if not operations.any():
        return [ROWS]
    return [f"part-{part}.jsonl" for part in (PARTS if operations.split else PARTS[:1])]


def _number_rejected(objects: ShardObjects, shard: Shard) -> None:
    bases = [Base(**base) for base in orjson.loads(objects.read(shard.number, BASES))]
    numbered = LineBuffer(objects.sink(shard.number, QUARANTINE, rejected=True))
    with all_or_none(numbered):
        for number, base in enumerate(bases):
            rows = objects.blocks(shard.number, rejected_rows(number), rejected=True)
            assembly.renumber(rows, base, numbered)
