"""The quick way through CSV: it means what the csv module means, takes the usual records, and leaves the others."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambda_handlers.datasets.reading.csv_quick import QuickRecords
from lambda_handlers.datasets.reading.csv_records import csv_records
from lambda_handlers.datasets.reading.rows import Line, LineCount, Record
from lambda_handlers.protocol.errors import DatasetRejected

BOM = b"\xef\xbb\xbf"


def left(self: QuickRecords, data: bytes, start: int, **place: int) -> Generator[Line, None, tuple[int, int]]:
    """Leave every record to the csv module."""
    yield from ()
    return start, place["line"]


def cut(data: bytes, piece: int) -> Iterator[bytes]:
    for position in range(0, len(data), piece):
        yield data[position : position + piece]


def outcome(data: bytes, piece: int, limit: int) -> tuple[list[Line], int, str]:
    """Return the rows, the number of lines and the error, whatever there is of them."""
    found: list[Line] = []
    lines = LineCount()
    try:
        found.extend(csv_records(cut(data, piece), uri="a.csv", max_row_bytes=limit, lines=lines))
    except DatasetRejected as error:
        return found, lines.count, error.message
    return found, lines.count, ""


SCRAPS = st.sampled_from(
    [b'"', b'""', b'"""', b",", b'","', b"a", b"\n", b"\r\n", b"\r", b" ", b"\0", b"\xff", "é👍".encode(), b"bcd" * 9]
)
FIELDS = st.sampled_from(
    [
        b"",
        b"a",
        b'"a"',
        b'""',
        b'"a""b"',
        b'""""',
        b'"a\n\nb"',
        b'"a\r\nb"',
        b'a"b',
        b'a""b',
        "é\u2028".encode(),
        b"\xe9",
    ]
)
LINES = st.lists(FIELDS, min_size=1, max_size=4).map(b",".join) | st.lists(SCRAPS, max_size=12).map(b"".join)


@example(header=b"q,a", lines=[b'x,"1\n2"', b'"3\n4'], ends=[b"\n"], last=b'"', piece=1000, limit=1000, bom=b"")
@example(header=b"q", lines=[b"", b'"\n"', b" "], ends=[b"\r\n"], last=b"", piece=1000, limit=1000, bom=BOM)
@given(
    header=st.sampled_from([b"q", b"q,a", b'"q ""1""",a,"c\nd"']),
    lines=st.lists(LINES, min_size=1, max_size=10),
    ends=st.lists(st.sampled_from([b"\n", b"\n", b"\r\n", b"\r\r\n", b"\n\n"]), min_size=1, max_size=3),
    last=st.sampled_from([b"", b"x,y", b"x,y\r"]),
    piece=st.sampled_from([1, 2, 3, 7, 40, 1000]),
    limit=st.sampled_from([20, 30, 1000]),
    bom=st.sampled_from([b"", BOM]),
)
def test_the_quick_way_of_csv_means_what_the_csv_module_means(
    header: bytes, lines: list[bytes], ends: list[bytes], last: bytes, piece: int, limit: int, bom: bytes
) -> None:
    data = bom + header + b"\n" + b"".join(line + ends[at % len(ends)] for at, line in enumerate(lines)) + last
    with mock.patch.object(QuickRecords, "read", left):
        expected = outcome(data, 1 << 20, limit)
    assert outcome(data, piece, limit) == expected
    found, count, error = expected
    if not error:
        assert count == data.count(b"\n") + (not data.endswith(b"\n"))
    for line, offset, row in found:
        assert line == data.count(b"\n", 0, offset) + 1
        assert not isinstance(row, bytes)
        assert data[offset:].startswith(row.raw or b"")


def quick(data: bytes, *names: str, limit: int = 1000) -> tuple[list[Line], int, int]:
    """Return what is read quickly, the index behind it, and the number of lines before that."""
    reading = QuickRecords(names, limit).read(data, 0, offset=100, line=10)
    found = []
    while True:
        try:
            found.append(next(reading))
        except StopIteration as end:
            return found, *end.value


def test_usual_records_are_read_quickly() -> None:
    rows = [b"1,2", b'"a ""b""\n,","\r\n"', "é,👍".encode(), b",", b'5"" ",\0']
    data = b"\r\n".join([*rows, b""])
    found, end, lines = quick(data, "q", "a")
    assert found == [
        (11, 100, Record(b"1,2", {"q": "1", "a": "2"})),
        (12, 105, Record(rows[1], {"q": 'a "b"\n,', "a": "\r\n"})),
        (15, 123, Record(rows[2], {"q": "é", "a": "👍"})),
        (16, 132, Record(b",", {"q": "", "a": ""})),
        (17, 135, Record(rows[4], {"q": '5"" "', "a": "\0"})),
    ]
    assert (end, lines) == (len(data), 17)


@pytest.mark.parametrize(
    "record",
    [b"1", b"1,2,3", b'"1"x,2', b'1,"2', b"1,\xff", b"1\r,2", b"", b"1,2", b"1," + b"2" * 20 + b"\n"],
)
def test_other_records_are_left(record: bytes) -> None:
    rest = record if record.endswith((b"1,2", b"\n")) else record + b"\n3,4\n"
    found, end, lines = quick(b"0,0\n" + rest, "q", "a", limit=20)
    assert ([line for line, _, _ in found], end, lines) == ([11], 4, 11)


def test_tables_with_very_many_columns_are_read_too() -> None:
    names = [f"c{number}" for number in range(300)]
    data = ",".join(names).encode() + b"\n" + b",".join([b'"x"'] * 300) + b"\n"
    [(_, _, row)] = csv_records([data], uri="a.csv")
    assert isinstance(row, Record)
    assert row.values == dict.fromkeys(names, "x")


@pytest.mark.parametrize("hostile", [b'"' + b"\n" * 400_000, b'"' + b'""' * 200_000, b"a," * 200_000, b'"a",' * 90_000])
def test_the_record_behind_a_long_one_is_read(hostile: bytes) -> None:
    close = b'"' if hostile.count(b'"') % 2 else b""
    *_, (_, _, row) = csv_records(cut(b"q\n1\n" + hostile + close + b"\nlast\n", 50_000), uri="a.csv")
    assert row == Record(b"last", {"q": "last"})
