"""Pass two: put the accepted lines of all shards where the assignment says, in order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import compress
from typing import Final

from lambda_handlers.datasets.passes.summary import Base
from lambda_handlers.datasets.writers import LineBuffer

_NUMBERS: Final = re.compile(rb'\{"row":(\d+),"line":(\d+),')


def assemble(lines: Iterable[bytes], codes: bytes | memoryview, writers: Mapping[int, LineBuffer]) -> None:
    """Write accepted lines, given as they were written and in pieces of any size, to the writer of their code.

    `codes` has one byte per line: those of one shard, or of all. A code without a writer is a row that goes nowhere.
    Raises ValueError when there are more or fewer lines than codes.
    """
    chosen = {code: bytes(each == code for each in range(256)) for code in writers}
    start = 0
    for block in whole_lines(lines):
        here = bytes(codes[start : start + len(block)])
        for code, writer in writers.items():
            if code in here:
                writer.write_lines(list(compress(block, here.translate(chosen[code]))))
        start += len(block)
    if start != len(codes):
        raise ValueError(f"{start} lines for {len(codes)} rows")


def renumber(lines: Iterable[bytes], base: Base, writer: LineBuffer) -> None:
    """Write the quarantine lines of a shard, which counted from its start, with the numbers of the whole dataset."""
    for block in whole_lines(lines):
        writer.write_lines([_renumbered(line, base) for line in block])


def whole_lines(pieces: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield the lines of what a LineBuffer wrote, without their ends, as they come."""
    rest = b""
    for piece in pieces:
        block = (rest + piece).split(b"\n")
        rest = block.pop()
        if block:
            yield block
    if rest:
        raise ValueError("the last line has no end")


def _renumbered(line: bytes, base: Base) -> bytes:
    found = _NUMBERS.match(line)
    assert found, line[:80]
    row, number = int(found[1]) + base.rows, int(found[2]) + base.lines
    return b'{"row":%d,"line":%d,%b' % (row, number, line[found.end() :])
