"""Between the passes: decide from the index alone where each good row goes.

In this order: equal rows, limit, split, leakage. Memory is the same for any number of rows; what has to be compared
lies in files, and one byte per row in a mapped file.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from itertools import chain, count
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lambda_handlers.datasets.passes.index import HASH, NO_PROMPT, record_bytes
from lambda_handlers.datasets.passes.partitions import Partitions
from lambda_handlers.datasets.passes.splitting import PARTS, by_content, by_rows
from lambda_handlers.datasets.preparation import Operations, Split

TRAIN, VALIDATION, TEST, DUPLICATE, LEAKED, OVER_LIMIT = range(6)

NAMES: Final = (*PARTS, "duplicate", "leaked", "over_limit")
"""What becomes of a good row; its code is its position here."""

_BLOCK: Final = 64 * 1024
_EVALUATION: Final = 2**64 - 1
_END_ALIVE: Final = bytes(code if code == DUPLICATE else OVER_LIMIT for code in range(256))


class Assignment:
    """What becomes of each good row: one byte per row, in order; to be closed, before its file goes."""

    def __init__(self, path: Path, rows: int) -> None:
        self.rows = rows
        path.write_bytes(b"")
        with path.open("r+b") as file:
            file.truncate(rows or 1)  # nothing cannot be mapped
            self.codes = mmap.mmap(file.fileno(), rows or 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.codes.close()

    def between(self, start: int, end: int) -> memoryview:
        """Return the codes of the good rows `start` to `end` (from 0, without `end`), to be released after use."""
        with memoryview(self.codes) as whole:
            return whole[start : min(end, self.rows)]

    def counts(self) -> dict[str, int]:
        """Return how many rows there are of each of NAMES."""
        found = [0] * len(NAMES)
        for _, block in self.blocks():
            for code in range(len(NAMES)):
                found[code] += block.count(code)
        return dict(zip(NAMES, found, strict=True))

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """Yield the codes in blocks, each with the number of its first row."""
        for start in range(0, self.rows, _BLOCK):
            yield start, self.codes[start : min(start + _BLOCK, self.rows)]


def operations_problems(operations: Operations, *, with_evaluation_sets: bool) -> list[str]:
    """Return what is wrong with the operations asked for; empty when they can be done."""
    split, limit = operations.split, operations.limit
    found = [f"split: {problem}" for problem in (split.problems() if split else ())]
    if limit is not None and limit < 1:
        found.append(f"limit is {limit}: give 1 row or more")
    if with_evaluation_sets and not operations.no_leak:
        found.append("evaluation sets are given, but no_leak is off: turn it on, or leave them out")
    if operations.no_leak and not with_evaluation_sets and not (split and split.test):
        found.append("no_leak has nothing to compare with: give an evaluation set, or a split with a test share")
    return found


def assign(
    index: Iterable[bytes], *, rows: int, operations: Operations, evaluation_prompts: Iterable[bytes], scratch: Path
) -> Assignment:
    """Decide for each of `rows` good rows, whose index is given in order and in pieces of any size.

    `evaluation_prompts` are the prompt hashes of evaluation sets. `scratch` is an empty folder for this alone; it takes
    about 60 bytes per row.
    """
    assignment = Assignment(scratch / "assignment", rows)
    lines = Partitions(scratch, "lines", rows) if operations.dedupe else None
    prompts = Partitions(scratch, "prompts", rows) if operations.no_leak else None
    if prompts:
        prompts.deal((prompt, _EVALUATION) for prompt in evaluation_prompts)
    _deal(index, assignment, operations, lines, prompts)
    if lines:
        _mark_duplicates(assignment, lines)
    if operations.limit is not None:
        _mark_over_limit(assignment, operations.limit)
    if operations.split and operations.split.by == "rows":
        _split(assignment, operations.split, operations.seed)
    if prompts:
        _mark_leaked(assignment, prompts)
    return assignment


def _deal(
    index: Iterable[bytes],
    assignment: Assignment,
    operations: Operations,
    lines: Partitions | None,
    prompts: Partitions | None,
) -> None:
    """Read the index, once: deal out its hashes, and where the content decides the split, split."""
    split = operations.split if operations.split and operations.split.by == "content" else None
    part_of = by_content(split, operations.seed) if split else None
    row = 0
    for line_hashes, prompt_hashes in _records(index, with_prompts=operations.no_leak):
        if lines:
            lines.deal(zip(line_hashes, count(row)))
        if prompts:
            numbered = zip(prompt_hashes, count(row))
            prompts.deal(pair for pair in numbered if pair[0] != NO_PROMPT)
        if part_of:
            assignment.codes[row : row + len(line_hashes)] = bytes(map(part_of, line_hashes))
        row += len(line_hashes)
    if row != assignment.rows:
        raise ValueError(f"the index has {row} rows, not {assignment.rows}")


def _records(index: Iterable[bytes], *, with_prompts: bool) -> Iterator[tuple[list[bytes], list[bytes]]]:
    size, rest = record_bytes(prompts=with_prompts), b""
    for piece in index:
        block = rest + piece
        end = len(block) - len(block) % size
        rest = block[end:]
        yield (
            [block[start : start + HASH] for start in range(0, end, size)],
            [block[start : start + HASH] for start in range(HASH, end, size)] if with_prompts else [],
        )
    if rest:
        raise ValueError(f"the index ends within a row, after {len(rest)} bytes of {size}")


def _mark_duplicates(assignment: Assignment, lines: Partitions) -> None:
    codes = assignment.codes
    for partition in lines:
        seen: set[bytes] = set()
        for line_hash, row in partition:
            if line_hash in seen:
                codes[row] = DUPLICATE
            else:
                seen.add(line_hash)


def _mark_over_limit(assignment: Assignment, limit: int) -> None:
    for start, block in assignment.blocks():
        alive = len(block) - block.count(DUPLICATE)
        if alive > limit:
            kept = _after(block, limit)
            end = start + len(block)
            assignment.codes[start + kept : end] = block[kept:].translate(_END_ALIVE)
        limit = max(limit - alive, 0)


def _after(block: bytes, alive: int) -> int:
    """Return how long a beginning of a block holds so many rows that are no duplicates."""
    rows = chain((row for row, code in enumerate(block) if code != DUPLICATE), (len(block),))
    return next(row for number, row in enumerate(rows) if number == alive)


def _split(assignment: Assignment, split: Split, seed: int) -> None:
    alive = sum(block.count(TRAIN) for _, block in assignment.blocks())
    part_of = by_rows(alive, split, seed)
    for start, block in assignment.blocks():
        parts = bytes(code or part_of() for code in block)
        assignment.codes[start : start + len(block)] = parts


def _mark_leaked(assignment: Assignment, prompts: Partitions) -> None:
    codes = assignment.codes
    for partition in prompts:
        kept_out = {prompt for prompt, row in partition if row == _EVALUATION or codes[row] == TEST}
        for prompt, row in partition if kept_out else ():
            if prompt in kept_out and row != _EVALUATION and codes[row] == TRAIN:
                codes[row] = LEAKED
