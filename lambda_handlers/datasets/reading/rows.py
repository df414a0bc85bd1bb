"""What the readers yield: one row of a source, with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from lambda_handlers.datasets.faults import Fault

MAX_ROW_BYTES: Final = 8 * 1024 * 1024


class Record(NamedTuple):
    """A row of a CSV source: its bytes as they stand there, and its texts by column name.

    A tuple, because one is made for every row and a frozen dataclass takes twice the time.
    """

    raw: bytes
    values: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Damaged:
    """A row that cannot be read: why, its size in bytes and SHA-256, and its bytes where they can be held."""

    fault: Fault
    size: int
    sha256: str
    raw: bytes | None = None


Line = tuple[int, int, bytes | Record | Damaged]
"""One row: the 1-based number of the line on which it begins, its byte offset in the (unpacked) source, and the row.

A row of JSON is given as its bytes, not parsed yet.
"""


@dataclass(kw_only=True, slots=True)
class LineCount:
    """How many lines begin in what was read, blank ones and those inside a CSV field included; known at its end."""

    count: int = 0


class SourceObject(Protocol):
    """One file or S3 object that is read."""

    @property
    def uri(self) -> str:
        """Return the path or the s3:// address."""

    @property
    def version_id(self) -> str | None:
        """Return the version that is read, where the store has versions."""

    @property
    def size(self) -> int:
        """Return the size in bytes as it lies there, that is before unpacking."""

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """Yield the bytes from `start` to the end, in pieces of about 1 MiB.

        Raises DataPreparationFailed when the object changes or vanishes while it is read.
        """
