"""Pass one: every row of a shard ends in the accepted lines or in quarantine, and is counted once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from lambda_handlers.datasets.faults import Fault, RejectedRowError
from lambda_handlers.datasets.forms.form import RowTransform
from lambda_handlers.datasets.passes.index import IndexWriter
from lambda_handlers.datasets.passes.quarantine import quarantined
from lambda_handlers.datasets.passes.summary import FIRST, Base, BucketsSeen, Kind, Place, Reason, ShardSummary
from lambda_handlers.datasets.reading.rows import Damaged, Line, Record
from lambda_handlers.datasets.writers import LineBuffer

_MESSAGE: Final = 200


def transform_shard(
    rows: Iterable[Line],
    transform: RowTransform,
    *,
    source: str,
    accepted: LineBuffer,
    quarantine: LineBuffer,
    index: IndexWriter | None = None,
    first_row: int = 0,
    first_line: int = 0,
) -> ShardSummary:
    """Write the line made of each good row to `accepted` and the others to `quarantine`; close nothing.

    `transform` is a fresh one, since it remembers what it has seen. `first_row` and `first_line` say what comes before
    the shard, where that is known: quarantined rows are numbered with them (else by `assembly.renumber` later on),
    places in the summary are not. `lines` of the summary is left to the caller, who has the reader's count.
    """
    rejected = _Rejected(quarantine, source, Base(rows=first_row, lines=first_line))
    counts: dict[int, int] = {}
    buckets = BucketsSeen()
    media_bits = transform.media_bits
    first: dict[int, list[Place]] = {}
    write, add, prompt = accepted.write, index.add if index else None, transform.prompt
    from_columns = transform.from_columns
    number = 0
    for line in rows:
        number += 1
        row = line[2]
        try:
            if type(row) is bytes:
                made = transform(row)
            elif type(row) is Record:
                made = from_columns(row.values)
            else:
                raise _unreadable(row)
        except RejectedRowError as rejection:
            rejected.take(number, line, rejection.faults)
            continue
        write(made)
        if add:
            add(made, prompt)
        features = transform.features
        if features & media_bits:
            buckets.note(transform.buckets(), Place(row=number, line=line[0], source=source))
        count = counts[features] = counts.get(features, 0) + 1
        if count <= FIRST:
            first.setdefault(features, []).append(Place(row=number, line=line[0], source=source))
    return ShardSummary(
        source=source,
        rows=number,
        rejected=rejected.rows,
        rules=rejected.rules,
        reasons=rejected.reasons,
        kinds={features: Kind(count=count, first=first[features]) for features, count in counts.items()},
        columns_seen=transform.columns_seen,
        buckets=buckets,
    )


def _unreadable(row: bytes | Record | Damaged) -> RejectedRowError:
    assert isinstance(row, Damaged)
    return RejectedRowError((row.fault,))


class _Rejected:
    """Take rejected rows: write them, count their rules, keep the first reasons."""

    def __init__(self, writer: LineBuffer, source: str, base: Base) -> None:
        self._writer = writer
        self._source = source
        self._base = base
        self.rows = 0
        self.rules: Counter[str] = Counter()
        self.reasons: list[Reason] = []

    def take(self, number: int, line: Line, faults: tuple[Fault, ...]) -> None:
        self.rows += 1
        self.rules.update({fault.code for fault in faults})
        place = Place(row=number, line=line[0], source=self._source)
        if len(self.reasons) < FIRST:
            self.reasons.append(Reason(place=place, message=faults[0].message[:_MESSAGE], code=faults[0].code))
        self._writer.write(quarantined(place=place.moved(self._base), line=line, faults=faults))
