"""Cut a stream of bytes into lines, in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lambda_handlers.datasets.reading.byte_streams import after_bom, split_lines
from lambda_handlers.datasets.reading.damage import Measure
from lambda_handlers.datasets.reading.rows import MAX_ROW_BYTES, Damaged, LineCount


def json_lines(
    chunks: Iterable[bytes],
    *,
    offset: int = 0,
    max_row_bytes: int = MAX_ROW_BYTES,
    lines: LineCount | None = None,
) -> Iterator[tuple[int, int, bytes | Damaged]]:
    """Yield the lines of a source, blank ones left out; lines end with \\n or \\r\\n, and a leading BOM is skipped.

    `offset` is where the first byte stands in the source. Only \\n separates rows: U+2028 and other separators may
    stand inside a JSON string. A line longer than `max_row_bytes` is yielded as Damaged (row_too_large).
    """
    number = 0
    if offset == 0:
        offset, chunks = after_bom(chunks)
    for block in _blocks(chunks, max_row_bytes):
        if isinstance(block, Damaged):
            number += 1
            yield number, offset, block
            offset += block.size + 1
            continue
        has_returns = b"\r" in block
        for data in split_lines(block):
            number += 1
            size = len(data)
            if size > max_row_bytes:
                yield number, offset, Measure(max_row_bytes, data).damaged()
            else:
                row = data.removesuffix(b"\r") if has_returns else data
                if row and not row.isspace():
                    yield number, offset, row
            offset += size + 1
    if lines is not None:
        lines.count = number


def _blocks(chunks: Iterable[bytes], limit: int) -> Iterator[bytes | Damaged]:
    """Yield whole lines, many at a time; a line that is too long to hold is yielded by itself."""
    held: list[bytes] = []
    size = 0
    stream = iter(chunks)
    for chunk in stream:
        while True:
            end = chunk.rfind(b"\n") + 1
            if end:
                yield b"".join((*held, chunk[:end]))
                held, size = [], 0
            held.append(chunk[end:])
            size += len(chunk) - end
            if size <= limit:
                break
            long, chunk = _skip(Measure(limit, *held), stream)
            held, size = [], 0
            yield long
    if size:
        yield b"".join(held)


def _skip(line: Measure, stream: Iterator[bytes]) -> tuple[Damaged, bytes]:
    """Read to the end of a line that is too long to hold; return it and what follows its line end."""
    for chunk in stream:
        head, end, rest = chunk.partition(b"\n")
        line.update(head)
        if end:
            return line.damaged(), rest
    return line.damaged(), b""
