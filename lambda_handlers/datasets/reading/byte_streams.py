"""Small tools for streams of bytes: look at the beginning, skip a byte order mark, cut at line ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import AnyStr, Final

BOM: Final = b"\xef\xbb\xbf"


def peek(chunks: Iterable[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """Return at least `size` bytes of the beginning, fewer where there are no more, and the whole stream again."""
    stream = iter(chunks)
    head = b""
    while len(head) < size and (chunk := next(stream, None)) is not None:
        head += chunk
    return head, chain((head,), stream)


def after_bom(chunks: Iterable[bytes]) -> tuple[int, Iterator[bytes]]:
    """Return the offset of the first byte after a byte order mark (0 or 3), and the stream from there."""
    head, stream = peek(chunks, len(BOM))
    if not head.startswith(BOM):
        return 0, stream
    next(stream)
    return len(BOM), chain((head[len(BOM) :],), stream)


def split_lines(block: AnyStr) -> list[AnyStr]:
    """Cut whole lines at \\n only; the last one may be without it."""
    lines = block.split(b"\n" if isinstance(block, bytes) else "\n")
    if not lines[-1]:
        lines.pop()
    return lines


def line_range(chunks: Iterable[bytes], start: int, end: int | None) -> tuple[int, Iterator[bytes]]:
    """Return the bytes of the lines that begin in [start, end), and the offset of the first of them.

    `chunks` are the bytes from `start - 1`, or from 0 where `start` is 0: a line begins at 0 and after each line end.
    No more is read than it takes to see the end of the last line, or that none begins in the range.
    """
    position, stream = _after_line_end(iter(chunks), start, end) if start else (0, iter(chunks))
    return position, stream if end is None else _until_line_end(stream, position, end)


def _after_line_end(stream: Iterator[bytes], start: int, end: int | None) -> tuple[int, Iterator[bytes]]:
    position = start - 1
    for chunk in stream:
        found = chunk.find(b"\n") + 1
        if found:
            return position + found, chain((chunk[found:],), stream)
        position += len(chunk)
        if end is not None and position >= end:
            break
    return position, iter(())


def _until_line_end(stream: Iterator[bytes], position: int, end: int) -> Iterator[bytes]:
    if position >= end:
        return
    for chunk in stream:
        # A line that begins before `end` has its end at `end - 1` or later.
        found = chunk.find(b"\n", max(end - 1 - position, 0)) + 1
        if found:
            yield chunk[:found]
            return
        position += len(chunk)
        yield chunk
