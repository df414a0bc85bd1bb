"""What shards tell, put together, is what one pass over everything tells."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_handlers.datasets.forms.columns_seen import ColumnsSeen
from lambda_handlers.datasets.passes.summary import (
    FIRST,
    Base,
    Kind,
    Place,
    Reason,
    ShardSummary,
    bases,
    merge,
)

# A row: the features it has where it is good, None where it is not; and how many blank lines come before it.
ROWS = st.lists(st.tuples(st.integers(0, 3) | st.none(), st.integers(0, 2)), max_size=40)


def summary(rows: list[tuple[int | None, int]], source: str) -> ShardSummary:
    told = ShardSummary(source=source, rows=len(rows), columns_seen=ColumnsSeen())
    for number, (features, blank) in enumerate(rows, start=1):
        told.lines += blank + 1
        place = Place(row=number, line=told.lines, source=source)
        if features is None:
            told.rejected += 1
            told.rules["bad"] += 1
            told.columns_seen.rejected += 1
            told.columns_seen.note({f"c{number % 3}": 1}, ["question"])
            if len(told.reasons) < FIRST:
                told.reasons.append(Reason(place=place, message="m", code="bad"))
        else:
            kind = told.kinds.setdefault(features, Kind())
            kind.count += 1
            if len(kind.first) < FIRST:
                kind.first.append(place)
    return told


def told(one: ShardSummary) -> tuple[object, ...]:
    sides = [one.having(bit, there=there) for bit in range(2) for there in (True, False)]
    return one.rows, one.lines, one.accepted, one.rules, one.reasons, sides, one.columns_seen.absent


@settings(deadline=None)  # a busy machine is not a failure
@given(rows=ROWS, cuts=st.lists(st.integers(0, 40), max_size=6))
def test_any_shards_tell_what_one_pass_tells(rows: list[tuple[int | None, int]], cuts: list[int]) -> None:
    bounds = [0, *sorted(cut for cut in cuts if cut <= len(rows)), len(rows)]
    shards = [summary(rows[start:end], "s") for start, end in pairwise(bounds)]
    # Column names differ with the numbers of the rows, of which a shard knows its own only.
    assert told(merge(shards)) == told(merge([summary(rows, "s")]))


@settings(deadline=None)  # a busy machine is not a failure
@given(ROWS)
def test_a_summary_survives_json(rows: list[tuple[int | None, int]]) -> None:
    one = summary(rows, "s3://b/kä")
    again = ShardSummary.from_json(one.to_json())
    assert again == one
    assert isinstance(again.rules, Counter)
    assert again.to_json() == one.to_json()


def test_rows_count_over_the_dataset_and_lines_over_their_source() -> None:
    shards = [summary([(0, 1)] * count, source) for count, source in ((2, "a"), (3, "a"), (1, "b"), (4, "b"))]
    assert list(bases(shards)) == [
        Base(),
        Base(rows=2, lines=4),
        Base(rows=5, lines=0),
        Base(rows=6, lines=2),
    ]
    assert merge(shards).kinds[0].first[:3] == [
        Place(row=1, line=2, source="a"),
        Place(row=2, line=4, source="a"),
        Place(row=3, line=6, source="a"),
    ]
    assert merge(shards).sources == 2


def test_a_summary_stays_small_whatever_the_number_of_rows() -> None:
    assert len(summary([(n % 4, 0) for n in range(10_000)], "s").to_json()) < 4000
