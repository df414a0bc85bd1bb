"""Rows that cannot be read, and those that are too large to hold: of these only size and hash are kept."""

from __future__ import annotations

import hashlib

from lambda_handlers.datasets.faults import Fault
from lambda_handlers.datasets.reading.rows import Damaged


def damaged(code: str, message: str, raw: bytes) -> Damaged:
    """Return a row that can be held, but not read."""
    return Damaged(fault=Fault(code, message), size=len(raw), sha256=hashlib.sha256(raw).hexdigest(), raw=raw)


class Measure:
    """Take the bytes of a row that is too large, as they go by."""

    def __init__(self, limit: int, *pieces: bytes) -> None:
        self._limit = limit
        self._size = 0
        self._digest = hashlib.sha256()
        for piece in pieces:
            self.update(piece)

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        self._size += len(data)
        self._digest.update(data)

    def damaged(self) -> Damaged:
        """Return what is known of the row."""
        message = f"the row has {self._size} bytes, more than the limit of {self._limit}"
        return Damaged(fault=Fault("row_too_large", message), size=self._size, sha256=self._digest.hexdigest())
