"""The part of a stream of bytes that is held while the end of a row is looked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from lambda_handlers.datasets.reading.damage import Measure
from lambda_handlers.datasets.reading.rows import Damaged


class EndFinder(Protocol):
    """Finds the end of a row in bytes that come in pieces."""

    def end(self, data: bytes, at: int = 0) -> int | None:
        """Return the index behind the row, or None when it goes on after these bytes; it goes on at the index `at`."""


class Window:
    """Bytes of a stream: `data`, which stand at `offset`; `ended` tells that the stream has no more."""

    def __init__(self, stream: Iterator[bytes], offset: int) -> None:
        self._stream = stream
        self.data = b""
        self.offset = offset
        self.ended = False

    def drop(self, size: int) -> None:
        """Let go of the first bytes."""
        self.data = self.data[size:]
        self.offset += size

    def grow(self, limit: int) -> None:
        """Read on until what is held has doubled or is above the limit: looking at it again then costs little."""
        pieces, size = [self.data], len(self.data)
        wanted = min(2 * size, limit + 1)
        while size <= wanted:
            piece = next(self._stream, None)
            if piece is None:
                self.ended = True
                break
            pieces.append(piece)
            size += len(piece)
        self.data = b"".join(pieces)

    def pass_over(self, row: EndFinder, limit: int, looked_at: int = 0) -> tuple[Damaged, int, bool]:
        """Go to the end of the row that begins here and is too large to hold; `row` looked at the first bytes already.

        Return what is known of it, the number of line ends in it, and whether it has an end.
        """
        measure, breaks = Measure(limit), 0
        while (end := row.end(self.data, looked_at)) is None:
            looked_at = 0
            measure.update(self.data)
            breaks += self.data.count(b"\n")
            self.offset += len(self.data)
            piece = next(self._stream, None)
            if piece is None:
                self.data, self.ended = b"", True
                return measure.damaged(), breaks, False
            self.data = piece
        measure.update(self.data[:end])
        breaks += self.data.count(b"\n", 0, end)
        self.drop(end)
        return measure.damaged(), breaks, True
