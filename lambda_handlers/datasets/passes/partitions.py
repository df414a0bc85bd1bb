"""Hashes dealt out to files by their value: equal ones meet in one file, small enough to be held in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from struct import Struct
from typing import Final

from lambda_handlers.datasets.passes.index import HASH

_RECORD: Final = Struct(f"<{HASH}sQ")
_ROWS: Final = 150_000
"""How many hashes a partition holds on average; a set of them takes about 20 MB."""
_MOST: Final = 256
_BUFFERED: Final = 4 * 1024 * 1024


class Partitions:
    """Takes pairs of hash and number, and gives them back partition by partition, in order within each.

    The number of partitions follows from the number of `rows`; `folder` exists and is the caller's to remove.
    """

    def __init__(self, folder: Path, name: str, rows: int) -> None:
        self._count = min(_MOST, rows // _ROWS + 1)
        self._paths = [folder / f"{name}-{number:03}" for number in range(self._count)]
        self._buffers = [bytearray() for _ in self._paths]
        self._buffered = 0

    def deal(self, pairs: Iterable[tuple[bytes, int]]) -> None:
        """Take pairs of hash and number."""
        buffers, count, pack = self._buffers, self._count, _RECORD.pack
        for hashed, number in pairs:
            buffers[hashed[0] * count >> 8] += pack(hashed, number)
            self._buffered += _RECORD.size
            if self._buffered >= _BUFFERED:
                self._flush()

    def __iter__(self) -> Iterator[list[tuple[bytes, int]]]:
        """Yield the pairs of one partition after the other."""
        self._flush()
        for path in self._paths:
            yield list(_RECORD.iter_unpack(path.read_bytes()))
            path.unlink()

    def _flush(self) -> None:
        for path, buffer in zip(self._paths, self._buffers, strict=True):
            with path.open("ab") as file:
                file.write(buffer)
            buffer.clear()
        self._buffered = 0
