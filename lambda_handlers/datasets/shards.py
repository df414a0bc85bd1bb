"""How a dataset is cut into shards, each the work of one function call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

SHARD_BYTES: Final = 32 * 1024 * 1024
MOST_SHARDS: Final = 64
"""Up to so many shards grow in number, beyond that in size: every index fits one reduction, every child one round."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectToRead:
    """One version of an S3 object; `can_be_cut` where each of its lines is a row."""

    uri: str
    version_id: str | None
    bytes: int
    can_be_cut: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """The rows of one object of so many `bytes` that begin in [start, end); all of them where `end` is None."""

    uri: str
    version_id: str | None
    bytes: int
    start: int = 0
    end: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Shard:
    """What one call works on; shards are numbered in the order of the rows."""

    number: int
    pieces: tuple[Piece, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the form that a Map hands to its children."""
        return asdict(self)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        """Read what `as_dict` returned."""
        return cls(number=document["number"], pieces=tuple(Piece(**piece) for piece in document["pieces"]))


def cut(objects: Iterable[ObjectToRead], *, shard_bytes: int = SHARD_BYTES) -> list[Shard]:
    """Cut objects into shards of about equal size; an object that cannot be cut stays in one."""
    wanted = list(objects)
    size = max(shard_bytes, -(-sum(item.bytes for item in wanted) // MOST_SHARDS))
    shards: list[list[Piece]] = [[]]
    room = size
    for item in wanted:
        for piece, taken in _pieces(item, size, room):
            if shards[-1] and taken > room:
                shards.append([])
                room = size
            shards[-1].append(piece)
            room -= taken
    return [Shard(number=number, pieces=tuple(pieces)) for number, pieces in enumerate(shards)]


def _pieces(item: ObjectToRead, size: int, room: int) -> Iterator[tuple[Piece, int]]:
    """Yield the pieces of an object with their bytes: the first fills the room that is left, where that is worth it."""
    if not item.can_be_cut or item.bytes <= room:
        yield Piece(uri=item.uri, version_id=item.version_id, bytes=item.bytes), item.bytes
        return
    start, end = 0, room if room >= size // 2 else size
    while start < item.bytes:
        end = min(end, item.bytes)
        piece = Piece(uri=item.uri, version_id=item.version_id, bytes=item.bytes, start=start, end=end)
        yield piece, end - start
        start, end = end, end + size
