"""JSON, CSV and gzip: the rows are those of the standard library's readers, however the bytes come in pieces."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambda_handlers.datasets.reading.csv_ends import RecordEnd
from lambda_handlers.datasets.reading.reader import read_rows
from lambda_handlers.datasets.reading.rows import Damaged, Line, LineCount, Record

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, kw_only=True, slots=True)
class Bytes:
    """A source whose bytes come in pieces of one size."""

    data: bytes
    uri: str
    piece: int = 1 << 20
    version_id: str | None = None

    @property
    def size(self) -> int:
        return len(self.data)

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        for position in range(start, len(self.data), self.piece):
            yield self.data[position : position + self.piece]


def rows(data: bytes, uri: str, piece: int = 1 << 20, **options: Any) -> list[Line]:
    return list(read_rows(Bytes(data=data, uri=uri, piece=piece), **options))


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=12)
    | st.sampled_from(['"', "\\", "[{", "]", "},", "é"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)
pieces = st.sampled_from([1, 2, 3, 7, 40, 1000])


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": [value]}
    return value


@given(
    elements=st.lists(values | st.sampled_from([nested(depth) for depth in (3, 4, 5, 40)]), min_size=1, max_size=6),
    indent=st.sampled_from([None, 0, 3]),
    ascii_only=st.booleans(),
    ends=st.sampled_from([b"", b"\n", b"\r\n \t"]),
    bom=st.sampled_from([b"", BOM]),
    piece=pieces,
)
def test_elements_of_an_array_are_what_json_loads_gives(
    elements: list[Any], indent: int | None, ascii_only: bool, ends: bytes, bom: bytes, piece: int
) -> None:
    text = json.dumps(elements, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    data = bom + ends + text + ends
    count = LineCount()
    found = rows(data, "a.json", piece, lines=count)
    assert [
        json.loads(row.decode("utf-8", "surrogatepass")) for _, _, row in found if isinstance(row, bytes)
    ] == elements
    for line, offset, row in found:
        assert isinstance(row, bytes)
        assert data[offset : offset + len(row)] == row
        assert line == data.count(b"\n", 0, offset) + 1
    assert count.count == data.count(b"\n") + (not data.endswith(b"\n"))


@given(elements=st.lists(values, min_size=1, max_size=8), piece=pieces, limit=st.integers(1, 60))
def test_large_elements_are_set_aside_wherever_the_bytes_are_cut(elements: list[Any], piece: int, limit: int) -> None:
    texts = [json.dumps(each).encode() for each in elements]
    found = rows(b"[" + b" ,\n ".join(texts) + b"]", "a.json", piece, max_row_bytes=limit)
    assert [line for line, _, _ in found] == list(range(1, len(texts) + 1))
    for (_, _, row), text in zip(found, texts, strict=True):
        if len(text) <= limit:
            assert row == text
        else:
            assert isinstance(row, Damaged)
            assert (row.size, row.sha256) == (len(text), hashlib.sha256(text).hexdigest())


@pytest.mark.parametrize("piece", [1, 5, 1000])
def test_a_document_that_is_an_object_is_one_row(piece: int) -> None:
    assert rows(b' {"a": [1,\n{}]}\n', "a.JSON", piece) == [(1, 1, b'{"a": [1,\n{}]}')]


def test_an_array_nested_ten_million_deep_is_one_row() -> None:
    deep = b"[" * 5_000_000 + b"]" * 5_000_000
    [(_, _, first), (_, _, second)] = rows(b"[" + deep + b",{}]", "a.json", max_row_bytes=20_000_000)
    assert first == deep
    assert second == b"{}"


beside = st.sampled_from([b"", b"1, ", b'"]}\\\\", ', b'"\\"[{", ', b"[[]], ", b'{"}": {"a": "]"}}, ', b" \n"])


@given(
    levels=st.lists(st.tuples(beside, beside), min_size=1, max_size=7),
    times=st.integers(9, 40),
    piece=pieces,
    data=st.data(),
)
def test_very_deep_elements_end_where_their_last_bracket_is(
    levels: list[tuple[bytes, bytes]], times: int, piece: int, data: st.DataObject
) -> None:
    element = b"0"
    for before, behind in levels * times:
        element = b"[" + before + element + b", " + behind + b'"x"]'
    limit = data.draw(st.sampled_from([len(element), 100]))
    found = rows(b"[%b, %b,7]" % (element, element), "a.json", piece, max_row_bytes=limit)
    assert [offset for _, offset, _ in found] == [1, len(element) + 3, 2 * len(element) + 4]
    assert found[2][2] == b"7"
    for _, _, row in found[:2]:
        if len(element) <= limit:
            assert row == element
        else:
            assert isinstance(row, Damaged)
            assert (row.size, row.sha256) == (len(element), hashlib.sha256(element).hexdigest())


fields = st.text(alphabet='ab",\n\r é\u2028\0', max_size=6)
tables = st.lists(st.lists(fields, min_size=2, max_size=3), max_size=8)


@given(
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    table=tables,
    end=st.sampled_from(["\n", "\r\n"]),
    bom=st.sampled_from([b"", BOM]),
    piece=pieces,
)
def test_records_of_csv_are_what_the_csv_module_gives(
    quoting: int, table: list[list[str]], end: str, bom: bytes, piece: int
) -> None:
    if quoting == csv.QUOTE_MINIMAL:  # It leaves a carriage return unquoted and then reads it back as a line end.
        table = [[field.replace("\r", "") for field in fields] for fields in table]
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=end, quoting=quoting).writerows([["q", "a"], *table, ["last", "row"]])
    data = bom + out.getvalue().encode()
    count = LineCount()
    found = rows(data, "a.csv", piece, lines=count)
    expected = [fields for fields in csv.reader(io.StringIO(out.getvalue(), newline=""), strict=True) if fields][1:]
    assert len(found) == len(expected)
    for (line, offset, row), fields in zip(found, expected, strict=True):
        raw = row.raw
        assert raw is not None
        assert data[offset : offset + len(raw) + 1] in (raw + b"\n", raw + b"\r")
        assert line == data.count(b"\n", 0, offset) + 1
        if len(fields) == 2:
            assert isinstance(row, Record)
            assert row.values == dict(zip(("q", "a"), fields, strict=True))
        else:
            assert isinstance(row, Damaged)
            assert row.fault.code == "ragged_row"
            assert row.fault.message == f"the record has {len(fields)} fields where the header has 2"
    assert count.count == data.count(b"\n")


raw_lines = st.lists(
    st.lists(st.sampled_from([b'"', b'""', b",", b"a", b"\n", b"\n", b"\r", b"\xff", b"bcdef" * 3]), max_size=14).map(
        b"".join
    )
)


@given(lines=raw_lines, piece=pieces, limit=st.integers(8, 40))
def test_broken_csv_gives_the_same_rows_wherever_it_is_cut(lines: list[bytes], piece: int, limit: int) -> None:
    data = b"q,a\n1,2\n" + b"\n".join(lines) + b"\n"
    assert outcome(data, piece, limit) == outcome(data, 1 << 20, limit)
    if isinstance(found := outcome(data, piece, 1000), list):
        covered = sum(row.size if isinstance(row, Damaged) else len(row.raw) for _, _, row in found if row)
        assert covered <= len(data)
        for _, offset, row in found:
            assert not isinstance(row, bytes)
            assert data[offset:].startswith(row.raw or b"")


csv_bytes = st.lists(st.sampled_from([b'"', b'""', b",", b"a", b"\n", b"\r"]), min_size=1, max_size=12).map(b"".join)


@example(data=b'\r,"\na\n', piece=3)
@example(data=b'a\r,"\na\n', piece=1)
@given(data=csv_bytes, piece=st.integers(1, 12))
def test_the_end_of_a_record_that_is_not_held_is_where_the_csv_module_sees_it(data: bytes, piece: int) -> None:
    text = data.decode()
    reader = csv.reader(io.StringIO(text, newline="\n"), strict=True)
    try:
        next(reader, None)
        open_quote = False
    except csv.Error as error:
        open_quote = "unexpected end" in str(error)
    end, seen, found = RecordEnd(), 0, None
    while found is None and seen < len(data):
        found = end.end(data[seen : seen + piece])
        seen += piece if found is None else found
    assert end.in_quotes == open_quote
    assert (found is None) == (open_quote or text.count("\n") < reader.line_num)
    if found is not None:
        assert data[:seen].count(b"\n") + 1 == reader.line_num


def outcome(data: bytes, piece: int, limit: int) -> list[Line] | str:
    try:
        return rows(data, "a.csv", piece, max_row_bytes=limit)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@given(
    contents=st.lists(st.binary(max_size=50), min_size=1, max_size=4),
    padding=st.sampled_from([b"", b"\0\0\0"]),
    piece=pieces,
)
def test_gzip_of_several_members_is_read_as_one_text(contents: list[bytes], padding: bytes, piece: int) -> None:
    contents = [b"{}\n", *contents]
    packed = b"".join(gzip.compress(each) + padding for each in contents)
    found = rows(packed, "a.jsonl.gz", piece)
    assert found == rows(b"".join(contents), "a.jsonl")


@pytest.mark.parametrize(
    ("uri", "data"),
    [("a.csv", b"q,a\nx,y\n"), ("a.Json.GZ", b'[{"q": 1}]'), ("a.jsonl", b'{"q": 1}\n'), ("a.CSV.gz", b"q\nx\n")],
)
def test_gzip_is_told_by_its_bytes_whatever_the_name(uri: str, data: bytes) -> None:
    assert rows(gzip.compress(data), uri) == rows(data, uri)
    assert len(rows(data, uri)) == 1
