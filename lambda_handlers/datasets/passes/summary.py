"""What pass one tells about a shard, in bounded size; all shards together tell what one pass over everything does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from heapq import nsmallest
from typing import Any, Final, Self

import orjson

from lambda_handlers.datasets.forms.columns_seen import ColumnsSeen
from lambda_handlers.datasets.reading.reader import no_rows

FIRST: Final = 5
"""How many rejected rows are told in words, and how many rows of each kind are remembered by their place."""
MAX_BUCKETS: Final = 20
"""How many buckets of media are remembered; a dataset that can be used has one."""


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Place:
    """Where a row stands: its 1-based number over the whole dataset, and its line in one source."""

    row: int
    line: int
    source: str

    def moved(self, base: Base) -> Place:
        """Return the place in the whole dataset of a row that was counted from the start of its shard."""
        return replace(self, row=self.row + base.rows, line=self.line + base.lines)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why a row was rejected: its first fault."""

    place: Place
    message: str
    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """What comes before a shard: rows of the whole dataset, and lines of its source."""

    rows: int = 0
    lines: int = 0


@dataclass(slots=True)
class Kind:
    """Good rows with the same features: how many, and the places of the first."""

    count: int = 0
    first: list[Place] = field(default_factory=list)

    def add(self, other: Kind, base: Base) -> None:
        """Take over the rows of a later shard."""
        self.count += other.count
        room = FIRST - len(self.first)
        self.first += [place.moved(base) for place in other.first[:room]]


@dataclass(slots=True)
class BucketsSeen:
    """In which buckets the media of good rows lie, by name: how many rows, and the places of the first.

    Hostile rows could each name a new one. The smallest names are kept, so that shards put together remember what one
    pass would, and count the same.
    """

    rows: dict[str, Kind] = field(default_factory=dict)

    def note(self, buckets: Iterable[str], place: Place) -> None:
        """Take a row with media; rows come in order."""
        one = Kind(count=1, first=[place])
        self._add(((bucket, one) for bucket in buckets), Base())

    def add(self, other: Self, base: Base) -> None:
        """Take over what a later shard saw."""
        self._add(other.rows.items(), base)

    def _add(self, found: Iterable[tuple[str, Kind]], base: Base) -> None:
        for bucket, kind in found:
            self.rows.setdefault(bucket, Kind()).add(kind, base)
        if len(self.rows) > MAX_BUCKETS:
            self.rows = {bucket: self.rows[bucket] for bucket in nsmallest(MAX_BUCKETS, self.rows)}


@dataclass(kw_only=True, slots=True)
class ShardSummary:
    """What became of the rows of a shard; `rows` are `accepted` and `rejected`, `lines` counts blank ones too.

    A shard is of one source, and its places count from its start. `kinds` goes by the bits of `RowTransform.features`.
    """

    source: str
    sources: int = 1
    rows: int = 0
    lines: int = 0
    rejected: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    reasons: list[Reason] = field(default_factory=list)
    kinds: dict[int, Kind] = field(default_factory=dict)
    columns_seen: ColumnsSeen = field(default_factory=ColumnsSeen)
    buckets: BucketsSeen = field(default_factory=BucketsSeen)

    @property
    def accepted(self) -> int:
        """Return how many rows were good."""
        return self.rows - self.rejected

    def having(self, bit: int, *, there: bool) -> Kind:
        """Return the good rows whose features have a bit, or lack it."""
        found = [kind for mask, kind in self.kinds.items() if bool(mask >> bit & 1) is there]
        return Kind(
            count=sum(kind.count for kind in found),
            first=nsmallest(FIRST, (place for kind in found for place in kind.first)),
        )

    def add(self, other: ShardSummary, base: Base) -> None:
        """Take over what a later shard tells."""
        self.rows += other.rows
        self.lines += other.lines
        self.rejected += other.rejected
        self.rules.update(other.rules)
        room = FIRST - len(self.reasons)
        self.reasons += [replace(reason, place=reason.place.moved(base)) for reason in other.reasons[:room]]
        for mask, kind in other.kinds.items():
            self.kinds.setdefault(mask, Kind()).add(kind, base)
        self.columns_seen.add(other.columns_seen)
        self.buckets.add(other.buckets, base)

    def to_json(self) -> bytes:
        """Return the summary as JSON."""
        seen = self.columns_seen
        return orjson.dumps(
            {
                **{name: getattr(self, name) for name in ("source", "rows", "lines", "rejected", "rules")},
                "reasons": [asdict(reason) for reason in self.reasons],
                "kinds": {str(mask): asdict(kind) for mask, kind in self.kinds.items()},
                "columns_seen": {"rejected": seen.rejected, "absent": seen.absent, "names": sorted(seen.names)},
                "buckets": {bucket: asdict(kind) for bucket, kind in self.buckets.rows.items()},
            }
        )

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read what `to_json` wrote."""
        found: dict[str, Any] = orjson.loads(data)
        seen = found["columns_seen"]
        return cls(
            **{name: found[name] for name in ("source", "rows", "lines", "rejected")},
            rules=Counter(found["rules"]),
            reasons=[Reason(**{**reason, "place": Place(**reason["place"])}) for reason in found["reasons"]],
            kinds={int(mask): _kind(kind) for mask, kind in found["kinds"].items()},
            columns_seen=ColumnsSeen(
                rejected=seen["rejected"], absent=Counter(seen["absent"]), names=set(seen["names"])
            ),
            buckets=BucketsSeen({bucket: _kind(kind) for bucket, kind in found["buckets"].items()}),
        )


def bases(shards: Iterable[ShardSummary]) -> Iterator[Base]:
    """Yield what comes before each shard, given in order; the shards of one source follow each other."""
    rows = lines = 0
    source: str | None = None
    for shard in shards:
        if shard.source != source:
            source, lines = shard.source, 0
        yield Base(rows=rows, lines=lines)
        rows += shard.rows
        lines += shard.lines


def check_none_empty(shards: Iterable[ShardSummary]) -> None:
    """Raise DatasetRejected for a source of which no shard has a row: one shard of it cannot tell."""
    rows: Counter[str] = Counter()
    for shard in shards:
        rows[shard.source] += shard.rows
    for source, count in rows.items():
        if not count:
            raise no_rows(source)


def merge(shards: Sequence[ShardSummary]) -> ShardSummary:
    """Put the summaries of all shards together, in order; places then count over the whole dataset."""
    whole = ShardSummary(source="", sources=len({shard.source for shard in shards}))
    for shard, base in zip(shards, bases(shards), strict=True):
        whole.add(shard, base)
    return whole


def _kind(found: Mapping[str, Any]) -> Kind:
    return Kind(count=found["count"], first=[Place(**place) for place in found["first"]])
