"""Content that cannot be read: one clear error that names the file, or one damaged row; nothing hangs or is lost."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lambda_handlers.datasets.faults import CODES
from lambda_handlers.datasets.reading.reader import read_rows
from lambda_handlers.datasets.reading.rows import Damaged, Line, Record
from lambda_handlers.datasets.reading.unpacking import unpacked
from lambda_handlers.protocol.errors import DatasetRejected, InvalidRequest

MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Pieces:
    """A source of given pieces, made while they are read."""

    pieces: tuple[tuple[bytes, int], ...]
    uri: str
    version_id: str | None = None
    size: int = 0

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        for piece, times in self.pieces:
            yield from itertools.repeat(piece, times)


def read(data: bytes, uri: str) -> list[Line]:
    return list(read_rows(Pieces(pieces=((data, 1),), uri=uri)))


def rejected(data: bytes, uri: str) -> str:
    with pytest.raises(DatasetRejected) as caught:
        read(data, uri)
    assert uri in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("cut", [2, 9, 15, 60, -9, -1])
def test_truncated_gzip_is_an_error_after_whatever_could_be_read(cut: int) -> None:
    packed = gzip.compress(b"".join(b'{"n": %d}\n' % number for number in range(999)))
    assert "is truncated" in rejected(packed[:cut], "a.jsonl.gz")


def test_gzip_followed_by_something_else_is_an_error() -> None:
    message = rejected(gzip.compress(b"{}\n") + b"{}\n{}\n", "a.jsonl.gz")
    assert "after 1 whole gzip members: something else may follow them" in message


def test_damaged_gzip_is_an_error() -> None:
    packed = bytearray(gzip.compress(b"{}\n" * 50))
    packed[-6] ^= 1
    assert "incorrect data check" in rejected(bytes(packed), "a.jsonl.gz")


def test_what_was_packed_very_small_is_unpacked_piece_by_piece() -> None:
    packer = zlib.compressobj(9, wbits=31)
    packed = b"".join([packer.compress(bytes(MIB)) for _ in range(40)]) + packer.flush()
    assert len(packed) < 50_000
    tracemalloc.start()
    assert sum(map(len, unpacked([packed], uri="a"))) == 40 * MIB
    assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("uri", "before", "after"),
    [
        ("a.jsonl", b'{"a": 1}\n', b'\n{"b": 2}\n'),
        ("a.json", b"[1,", b', {"b": 2}]'),
        ("a.csv", b"q\n1\n", b"\nlast\n"),
        ("b.csv", b'q\n1\n"', b'"\nlast\n'),
    ],
    ids=["a line", "an element", "a plain field", "a quoted field"],
)
def test_a_row_of_40_mb_is_set_aside_in_little_memory(uri: str, before: bytes, after: bytes) -> None:
    middle = b"\n" if uri == "b.csv" else b""
    piece = (b'"' + b"x" * (MIB - 2) + b'"') if uri == "a.json" else b"x" * MIB
    if uri == "a.json":
        before, after = before + b"[1", b"]" + after
        piece = b"," + piece
    source = Pieces(pieces=((before, 1), (middle + piece, 40), (after, 1)), uri=uri)
    tracemalloc.start()
    kinds = [(type(row), row.size if isinstance(row, Damaged) else 0) for _, _, row in read_rows(source)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [kind for kind, _ in kinds][1] is Damaged
    assert len(kinds) == 3
    assert abs(kinds[1][1] - 40 * MIB) < 100
    # The csv module holds a field at four bytes a character.
    assert peak < 80 * MIB


def test_the_row_behind_a_large_one_has_the_right_place() -> None:
    source = Pieces(pieces=((b'q\n"', 1), (b"\nx" * 1000, 60), (b'"\nlast\n', 1)), uri="a.csv")
    (line, offset, large), last = read_rows(source, max_row_bytes=50_000)
    assert isinstance(large, Damaged)
    assert (line, offset, large.size) == (2, 2, 120_002)
    assert large.sha256 == hashlib.sha256(b'"' + b"\nx" * 60_000 + b'"').hexdigest()
    assert last == (60_003, 120_005, Record(b"last", {"q": "last"}))


def test_many_small_rows_are_read_in_little_memory() -> None:
    for uri, before, row, after in (
        ("a.json", b"[0", b',{"a": "xxxxxxxx"}', b"]"),
        ("a.csv", b"q,a\n", b'"x","y"\n', b""),
    ):
        source = Pieces(pieces=((before, 1), (row * 1000, 30), (after, 1)), uri=uri)
        tracemalloc.start()
        count = sum(1 for _ in read_rows(source))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count >= 30_000
        assert peak < MIB // 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'[{"a": 1}, {"b": 2}', "line 1, byte 19, a comma or ] has to follow an element, not the end of the file"),
        (b'[{"a": 1},\n{"b": ', "line 2, byte 11, it ends inside of the value that begins here"),
        (b'[{"a": 1},', "an element has to stand here, not the end of the file"),
        (b"[", "an element has to stand here, not the end of the file"),
        (b"[1,]", "line 1, byte 3, an element has to stand here, not ]"),
        (b"[,1]", "an element has to stand here, not ,"),
        (b"[1}", "a comma or ] has to follow an element, not }"),
        (b'[{"a": 1} {"b": 2}]', "a comma or ] has to follow an element, not {"),
        (b"[1] x", "x follows after the end of the document"),
        (b"[1]]", "] follows after the end of the document"),
        (b'{"a": 1}\n{"a": 2}', "line 2, byte 9, { follows after the end of the document (one object on each line is"),
        (b'{"a": 1', "it ends inside of the value that begins here"),
        (b'"text"', 'a dataset begins with [ or {, not with "'),
        (b"\xff[1]", "not with \\xff"),
        (b"[]", "holds no rows"),
        (b" [ ] ", "holds no rows"),
        (b"", "holds no rows"),
    ],
)
def test_a_broken_json_document_is_an_error_with_its_place(data: bytes, message: str) -> None:
    assert message in rejected(data, "a.json")


def test_what_is_wrong_inside_of_an_element_stays_with_the_element() -> None:
    rows = read(b'[{"a": tru}, {"b": "\xff"}, [NaN], 1 , "x", {"a" 1}]', "a.json")
    assert [row for _, _, row in rows] == [b'{"a": tru}', b'{"b": "\xff"}', b"[NaN]", b"1", b'"x"', b'{"a" 1}']


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"q,,a\n1,2,3\n", "no usable header: column 2 of 3 has no name"),
        (b"q, ,a\n1,2,3\n", "no usable header: column 2 of 3 has no name"),
        (b"q,a,q\n1,2,3\n", 'the column "q" stands there twice'),
        (b'"q"x,a\n1,2\n', "the record is not CSV: ',' expected after '\"'"),
        (b"q\xff,a\n1,2\n", "byte 2 of the record is not UTF-8"),
        (b"q,a\rx,y\r", "new-line character seen in unquoted field"),
        (b"q" * 9 * MIB, "the row has 9437184 bytes, more than the limit of 8388608"),
        (b"q,a\n", "holds no rows"),
        (b"\n\n", "holds no rows"),
        (b'q,a\n1,2\n\n3,"4\n5,6\n', "a quote that never closes, in the record that begins in line 4"),
        (b'q,a\n3,"' + b"x" * 9 * MIB, "a quote that never closes, in the record that begins in line 2"),
        (b'"q,a\n1,2\n', "a quote that never closes, in the record that begins in line 1"),
    ],
)
def test_a_csv_file_that_cannot_be_read_as_a_table_is_an_error(data: bytes, message: str) -> None:
    assert message in rejected(data, "a.csv")


def test_a_broken_record_is_one_damaged_row_and_the_next_one_is_whole() -> None:
    data = b'q,a\n1\n1,2,3\n"x"y,2\n"\xff",1\r\n"a\nb"c,1\n  \n5" pipe,"say ""hi"",\nyou"\n,\n'
    rows = read(data, "a.csv")
    faults = [(line, row.fault.code, row.raw) for line, _, row in rows if isinstance(row, Damaged)]
    assert faults == [
        (2, "ragged_row", b"1"),
        (3, "ragged_row", b"1,2,3"),
        (4, "csv_syntax", b'"x"y,2'),
        (5, "invalid_utf8", b'"\xff",1'),
        (6, "csv_syntax", b'"a\nb"c,1'),
    ]
    assert {code for _, code, _ in faults} <= set(CODES)
    assert [(line, row.values) for line, _, row in rows if isinstance(row, Record)] == [
        (9, {"q": '5" pipe', "a": 'say "hi",\nyou'}),
        (11, {"q": "", "a": ""}),
    ]


def test_a_table_of_one_column_may_hold_white_space() -> None:
    assert [row for _, _, row in read(b"text\n  \n\nx\n", "a.csv")] == [
        Record(b"  ", {"text": "  "}),
        Record(b"x", {"text": "x"}),
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize(("uri", "text"), [("a.jsonl", '{"q": 1}\n'), ("a.json", "[1234]"), ("a.csv", "q,a\n1,2\n")])
def test_wide_encodings_are_named(encoding: str, uri: str, text: str) -> None:
    data = ("\ufeff" if encoding == "utf-32-be" else "").encode(encoding) + text.encode(encoding)
    assert "save it as UTF-8" in rejected(data, uri)
    assert "save it as UTF-8" in rejected(gzip.compress(data), f"{uri}.gz")
    if uri == "a.jsonl":
        with pytest.raises(DatasetRejected, match="save it as UTF-8"):
            list(read_rows(Pieces(pieces=((data, 1),), uri=uri), start=0, end=4))


def test_bytes_that_are_not_utf_8_stay_in_their_row() -> None:
    assert [row for _, _, row in read(b'{"a": "\xff"}\n\0{}\n', "a.jsonl")] == [b'{"a": "\xff"}', b"\0{}"]


@pytest.mark.parametrize("uri", ["rows", "rows.txt", "rows.gz", "rows.jsonl.zip", "a.json/rows"])
def test_a_name_that_tells_no_format_is_refused_with_what_is_allowed(uri: str) -> None:
    with pytest.raises(InvalidRequest, match=r"\.jsonl, \.json or \.csv, each also with \.gz"):
        read(b"{}\n", uri)
