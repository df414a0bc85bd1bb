"""Cut a stream of bytes into rows, one line at a time, in constant memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

MAX_ROW_BYTES: Final = 8 * 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, kw_only=True, slots=True)
class LongLine:
    """A line longer than the limit, known by its size and hash only."""

    size: int
    sha256: str


Line = tuple[int, int, bytes | LongLine]
"""One physical line: its 1-based number, its byte offset in the source, its bytes without the line end."""


def json_lines(chunks: Iterable[bytes], *, max_row_bytes: int = MAX_ROW_BYTES) -> Iterator[Line]:
    """Yield the lines of a source, blank ones left out; lines end with \\n or \\r\\n, and a leading BOM is skipped.

    Only \\n separates rows: U+2028 and other separators may stand inside a JSON string.
    """
    number = offset = 0
    for data in _lines(chunks, max_row_bytes):
        number += 1
        if isinstance(data, LongLine):
            yield number, offset, data
            offset += data.size + 1
            continue
        start = 3 if number == 1 and data.startswith(_BOM) else 0
        row = data[start:].removesuffix(b"\r")
        if row and not row.isspace():
            yield number, offset + start, row
        offset += len(data) + 1


def _lines(chunks: Iterable[bytes], limit: int) -> Iterator[bytes | LongLine]:
    rest = b""
    stream = iter(chunks)
    for chunk in stream:
        block = rest + chunk if rest else chunk
        while True:
            lines = block.split(b"\n")
            rest = lines.pop()
            yield from (line if len(line) <= limit else _long(line) for line in lines)
            if len(rest) <= limit:
                break
            long, block = _skip(rest, stream)
            yield long
    if rest:
        yield rest if len(rest) <= limit else _long(rest)


def _long(line: bytes) -> LongLine:
    return LongLine(size=len(line), sha256=hashlib.sha256(line).hexdigest())


def _skip(start: bytes, stream: Iterator[bytes]) -> tuple[LongLine, bytes]:
    """Read to the end of a line that is too long to hold; return it and what follows its line end."""
    digest, size = hashlib.sha256(start), len(start)
    for chunk in stream:
        head, end, rest = chunk.partition(b"\n")
        digest.update(head)
        size += len(head)
        if end:
            return LongLine(size=size, sha256=digest.hexdigest()), rest
    return LongLine(size=size, sha256=digest.hexdigest()), b""
