"""JSON Lines: rows come out whole, wherever the source is cut, and a range has the rows that begin in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_handlers.datasets.reading.json_lines import json_lines
from lambda_handlers.datasets.reading.reader import no_rows, read_rows, source_format
from lambda_handlers.datasets.reading.rows import Damaged, Line, LineCount
from lambda_handlers.protocol.errors import DatasetRejected

BOM = b"\xef\xbb\xbf"
LINES = [b"{}", b"", b" ", b"abc", b"abc\r", b"\r", b'"\xe2\x80\xa8"', b"\xff", b"x" * 40, b"y" * 90]
files = st.builds(
    lambda bom, lines: bom + b"\n".join(lines), st.sampled_from([b"", BOM]), st.lists(st.sampled_from(LINES))
)
points = st.lists(st.integers(0, 300), max_size=8)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bytes:
    """A source whose bytes come in given pieces."""

    data: bytes
    piece: int = 7
    uri: str = "rows.jsonl"
    version_id: str | None = None

    @property
    def size(self) -> int:
        return len(self.data)

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        for position in range(start, len(self.data), self.piece):
            yield self.data[position : position + self.piece]


def cut(data: bytes, at: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(min(point, len(data)) for point in at), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def by_definition(data: bytes, limit: int) -> list[tuple[int, int, bytes | int]]:
    """Return the rows of a file as the words of the documentation have it; long ones as their size."""
    rows: list[tuple[int, int, bytes | int]] = []
    offset = len(BOM) if data.startswith(BOM) else 0
    for number, line in enumerate(data[offset:].split(b"\n"), start=1):
        row = line.removesuffix(b"\r")
        if len(line) > limit:
            rows.append((number, offset, len(line)))
        elif row.strip():
            rows.append((number, offset, row))
        offset += len(line) + 1
    return rows


def plain(rows: Sequence[Line]) -> list[tuple[int, int, bytes | int]]:
    return [(number, at, row.size if isinstance(row, Damaged) else bytes(row)) for number, at, row in rows]


@given(data=files, at=points)
def test_lines_do_not_depend_on_where_the_bytes_are_cut(data: bytes, at: list[int]) -> None:
    assert plain(list(json_lines(cut(data, at), max_row_bytes=30))) == by_definition(data, 30)


@given(data=files, at=points, piece=st.integers(1, 50))
def test_ranges_give_together_the_rows_of_one_pass(data: bytes, at: list[int], piece: int) -> None:
    source = Bytes(data=data, piece=piece)
    found, line = [], 0
    for start, end in pairwise([0, *sorted(min(point, len(data)) for point in at), len(data)]):
        count = LineCount()
        rows = list(read_rows(source, start=start, end=end, max_row_bytes=30, lines=count))
        found += [(line + number, offset, row) for number, offset, row in rows]
        assert all(start <= offset < end or offset == len(BOM) for _, offset, _ in rows)
        line += count.count
    assert plain(found) == by_definition(data, 30)


def test_a_range_reads_no_further_than_to_the_end_of_its_last_line() -> None:
    class Counted(Bytes):
        read = 0

        def chunks(self, start: int = 0) -> Iterator[bytes]:
            for chunk in super().chunks(start):
                Counted.read += len(chunk)
                yield chunk

    source = Counted(data=b"x" * 99 + b"\n" + b"y" * 99_900 + b"\n" + b"z\n" * 1000, piece=100)
    [(_, _, row)] = read_rows(source, start=0, end=50)
    assert row == b"x" * 99
    assert Counted.read == 100
    Counted.read = 0
    assert list(read_rows(source, start=1000, end=5000)) == []
    assert Counted.read < 4200


def test_numbers_and_offsets_count_blank_lines_and_the_byte_order_mark() -> None:
    data = b"\xef\xbb\xbf{}\r\n\n  \n[1]"
    assert list(read_rows(Bytes(data=data))) == [(1, 3, b"{}"), (4, 11, b"[1]")]


def test_a_separator_inside_a_text_does_not_end_a_row() -> None:
    row = '{"q": "a\u2028b\x85c"}'.encode()
    assert list(read_rows(Bytes(data=row))) == [(1, 0, row)]


def test_a_line_beyond_the_limit_is_known_by_size_and_hash_and_the_next_one_is_whole() -> None:
    long = b"x" * 5000
    first, second = read_rows(Bytes(data=long + b"\n{}\n", piece=100), max_row_bytes=1000)
    assert isinstance(first[2], Damaged)
    assert (first[2].size, first[2].sha256, first[2].raw) == (5000, hashlib.sha256(long).hexdigest(), None)
    assert first[2].fault.code == "row_too_large"
    assert first[2].fault.message == "the row has 5000 bytes, more than the limit of 1000"
    assert second == (2, 5001, b"{}")


@pytest.mark.parametrize("data", [b"", BOM, b"\n \r\n\t\n"], ids=["empty", "only a mark", "only blank lines"])
def test_a_file_without_rows_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(DatasetRejected, match=r"rows\.jsonl holds no rows"):
        list(read_rows(Bytes(data=data)))
    assert list(read_rows(Bytes(data=data), start=0, end=len(data))) == []
    assert "b.jsonl" in no_rows("b.jsonl").message


def test_only_plain_json_lines_can_be_read_in_ranges() -> None:
    assert source_format(Bytes(data=b"{}")).is_splittable
    assert not source_format(Bytes(data=b"\x1f\x8b")).is_splittable
    assert not source_format(Bytes(data=b"{}", uri="A.JSON")).is_splittable
