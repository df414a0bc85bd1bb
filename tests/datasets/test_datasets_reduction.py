"""Where each good row goes, decided from hashes alone, in files small enough to be held."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lambda_handlers.datasets.passes import partitions, reduction
from lambda_handlers.datasets.passes.index import HASH, NO_PROMPT
from lambda_handlers.datasets.passes.reduction import NAMES, assign, operations_problems
from lambda_handlers.datasets.passes.splitting import by_content, by_rows, sizes
from lambda_handlers.datasets.preparation import Operations, Split

Row = tuple[int, int]
"""What a row says and what it asks, as numbers; it asks nothing where the second is 0."""


def digest(number: int) -> bytes:
    return hashlib.blake2b(b"%d" % number, digest_size=HASH).digest()


def become(rows: Sequence[Row], operations: Operations, evaluation: Sequence[int] = (), piece: int = 50) -> list[str]:
    """Return what becomes of each row, with the index given in pieces of so many bytes."""
    index = b"".join(
        digest(line) + ((digest(prompt) if prompt else NO_PROMPT) if operations.no_leak else b"")
        for line, prompt in rows
    )
    pieces = [index[start : start + piece] for start in range(0, len(index), piece)]
    with (
        TemporaryDirectory() as scratch,
        assign(
            pieces,
            rows=len(rows),
            operations=operations,
            evaluation_prompts=map(digest, evaluation),
            scratch=Path(scratch),
        ) as assignment,
    ):
        with assignment.between(0, len(rows)) as codes:
            found = [NAMES[code] for code in codes]
        assert Counter(found) == Counter(assignment.counts())
        return found


def distinct(count: int) -> list[Row]:
    return [(number, number) for number in range(1, count + 1)]


ROWS = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 10)), max_size=60)
SHARES = st.tuples(st.integers(1, 20), st.integers(0, 20), st.integers(0, 20)).map(
    lambda parts: Split(**{name: part / sum(parts) for name, part in zip(NAMES, parts, strict=False)})
)
OPERATIONS = st.builds(
    Operations,
    split=st.none() | SHARES,
    seed=st.integers(-5, 5),
    dedupe=st.booleans(),
    limit=st.none() | st.integers(1, 70),
    no_leak=st.booleans(),
)


def simple(rows: Sequence[Row], operations: Operations, evaluation: Sequence[int]) -> list[str]:
    """Do the same with everything in memory, by the words of the documentation."""
    found, seen, kept = ["train"] * len(rows), set(), 0
    for number, (line, _) in enumerate(rows):
        if operations.dedupe and line in seen:
            found[number] = "duplicate"
        elif operations.limit is not None and kept == operations.limit:
            found[number] = "over_limit"
        else:
            kept += 1
        seen.add(line)
    if operations.split:
        part_of = by_rows(kept, operations.split, operations.seed)
        found = [NAMES[part_of()] if name == "train" else name for name in found]
    if operations.no_leak:
        held = {*evaluation, *(rows[number][1] for number, name in enumerate(found) if name == "test")} - {0}
        found = ["leaked" if name == "train" and rows[number][1] in held else name for number, name in enumerate(found)]
    return found


@settings(deadline=None)  # a busy machine is not a failure
@given(rows=ROWS, operations=OPERATIONS, evaluation=st.lists(st.integers(1, 10), max_size=3), piece=st.integers(1, 99))
def test_every_row_becomes_what_the_words_say(
    rows: list[Row], operations: Operations, evaluation: list[int], piece: int
) -> None:
    assert become(rows, operations, evaluation, piece) == simple(rows, operations, evaluation)


@settings(deadline=None)  # a busy machine is not a failure
@given(rows=ROWS, operations=OPERATIONS)
def test_the_sizes_of_partitions_and_blocks_change_nothing(rows: list[Row], operations: Operations) -> None:
    whole = become(rows, operations)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partitions, "_ROWS", 3)
        patch.setattr(partitions, "_BUFFERED", 100)
        patch.setattr(reduction, "_BLOCK", 7)
        assert become(rows, operations) == whole


def test_a_limit_counts_over_all_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduction, "_BLOCK", 7)
    for limit in range(1, 32):
        found = become([(1, 1), *distinct(30)], Operations(limit=limit, dedupe=True))
        assert [name for name in found if name != "duplicate"] == ["train"] * min(limit, 30) + ["over_limit"] * (
            30 - limit
        )


def test_partitions_grow_in_number_with_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "_ROWS", 100)
    dealt = partitions.Partitions(tmp_path, "p", 5_000)
    dealt.deal((digest(number), number) for number in range(5_000))
    sizes_found = [len(partition) for partition in dealt]
    assert (len(sizes_found), sum(sizes_found)) == (51, 5_000)
    assert max(sizes_found) < 200
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("rows", "shares", "expected"),
    [
        (100, (0.8, 0.1, 0.1), (80, 10, 10)),
        (20, (0.8, 0.1, 0.1), (16, 2, 2)),
        (10, (0.8, 0.1, 0.1), (8, 1, 1)),
        (3, (0.8, 0.1, 0.1), (1, 1, 1)),
        (2, (0.8, 0.1, 0.1), (1, 1, 0)),
        (1, (0.8, 0.1, 0.1), (1, 0, 0)),
        (0, (0.8, 0.1, 0.1), (0, 0, 0)),
        (5, (0.5, 0.25, 0.25), (3, 1, 1)),
        (15, (0.5, 0.25, 0.25), (7, 4, 4)),
        (10, (0.7, 0.0, 0.3), (7, 0, 3)),
        (15, (0.7, 0.2, 0.1), (11, 3, 1)),  # the floats nearest to 0.7 and 0.1 would make it 10, 3, 2
        (10, (1.0, 0.0, 0.0), (10, 0, 0)),
        (1000, (0.98, 0.01, 0.01), (980, 10, 10)),
    ],
)
def test_the_parts_have_exact_sizes(rows: int, shares: tuple[float, float, float], expected: tuple[int, ...]) -> None:
    split = Split(train=shares[0], validation=shares[1], test=shares[2])
    assert sizes(rows, split) == expected
    for seed in range(3):
        found = Counter(become(distinct(rows), Operations(split=split, seed=seed)))
        assert tuple(found[name] for name in NAMES[:3]) == expected


@settings(deadline=None)  # a busy machine is not a failure
@given(rows=st.integers(0, 10**9), split=SHARES)
@example(rows=10**7, split=Split(train=1 / 3, validation=1 / 3, test=1 / 3))
def test_sizes_add_up_and_are_near_the_shares(rows: int, split: Split) -> None:
    found = sizes(rows, split)
    assert sum(found) == rows
    for size, share in zip(found, (split.train, split.validation, split.test), strict=True):
        assert abs(size - rows * share) <= 2 + rows * 1e-6
        assert size == 0 if not share else size or rows < 3


def test_a_seed_makes_the_same_split_again_and_another_one_another() -> None:
    first, again, other = (become(distinct(200), Operations(split=Split(), seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    # What the documentation promises for good: the same seed, the same split, in any version.
    assert [
        number for number, name in enumerate(become(distinct(20), Operations(split=Split()))) if name == "test"
    ] == [6, 18]


def test_every_row_has_the_same_chance() -> None:
    tested = Counter(
        number
        for seed in range(400)
        for number, name in enumerate(become(distinct(20), Operations(split=Split(), seed=seed)))
        if name == "test"
    )
    assert sum(tested.values()) == 800
    assert all(15 <= tested[number] <= 75 for number in range(20)), tested


@settings(deadline=None)  # a busy machine is not a failure
@given(st.permutations(range(1, 40)), st.integers(0, 3))
def test_by_content_a_row_stays_where_it_is_whatever_is_added(order: list[int], seed: int) -> None:
    operations = Operations(split=Split(by="content"), seed=seed)
    alone = dict(zip(range(1, 20), become(distinct(19), operations), strict=True))
    more = dict(zip(order, become([(line, line) for line in order], operations), strict=True))
    assert {line: more[line] for line in alone} == alone


def test_by_content_another_seed_makes_another_split() -> None:
    parts = [
        [part_of(digest(number)) for number in range(99)]
        for part_of in (by_content(Split(by="content"), seed) for seed in (1, 2))
    ]
    assert parts[0] != parts[1]


def test_by_content_the_parts_are_near_their_shares() -> None:
    part_of = by_content(Split(train=0.6, validation=0.3, test=0.1), 42)
    found = Counter(part_of(digest(number)) for number in range(10_000))
    assert abs(found[0] - 6_000) < 200
    assert abs(found[1] - 3_000) < 200
    assert abs(found[2] - 1_000) < 150
    assert Counter(by_content(Split(train=0.5, validation=0.5, test=0.0), 1)(digest(n)) for n in range(99))[2] == 0


def test_a_training_row_that_asks_what_a_test_row_asks_goes_and_the_test_row_stays() -> None:
    rows = [(number, 1 + number % 2) for number in range(1, 41)]
    found = become(rows, Operations(split=Split(train=0.5, validation=0.25, test=0.25), no_leak=True))
    assert Counter(found) == {"leaked": 20, "validation": 10, "test": 10}


def test_rows_that_ask_nothing_do_not_leak() -> None:
    found = become([(number, 0) for number in range(1, 11)], Operations(split=Split(), no_leak=True))
    assert Counter(found) == {"train": 8, "validation": 1, "test": 1}


@pytest.mark.parametrize(
    ("index", "words"),
    [([digest(1) * 2], "the index has 2 rows, not 3"), ([digest(1) * 2, b"xy"], "ends within a row, after 2 bytes")],
)
def test_an_index_that_is_not_that_of_the_rows_is_noticed(tmp_path: Path, index: list[bytes], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        assign(index, rows=3, operations=Operations(dedupe=True), evaluation_prompts=(), scratch=tmp_path)


@pytest.mark.parametrize(
    ("operations", "evaluation", "words"),
    [
        (Operations(limit=0), False, "limit is 0: give 1 row or more"),
        (Operations(split=Split(train=0.5)), False, "split: the shares 0.5, 0.1, 0.1 add up to 0.7, not 1"),
        (Operations(no_leak=True), False, "no_leak has nothing to compare with"),
        (Operations(no_leak=True, split=Split(train=0.9, test=0)), False, "no_leak has nothing to compare with"),
        (Operations(dedupe=True), True, "evaluation sets are given, but no_leak is off"),
    ],
)
def test_operations_that_cannot_be_done_are_named(operations: Operations, evaluation: bool, words: str) -> None:
    [problem] = operations_problems(operations, with_evaluation_sets=evaluation)
    assert words in problem


def test_operations_that_can_be_done_are_fine() -> None:
    assert operations_problems(Operations(), with_evaluation_sets=False) == []
    assert operations_problems(Operations(no_leak=True), with_evaluation_sets=True) == []
    assert operations_problems(Operations(no_leak=True, split=Split(), limit=1), with_evaluation_sets=False) == []
