"""Lines come out whole, wherever the source is cut."""

from __future__ import annotations

import hashlib
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lambda_handlers.datasets.reading.json_lines import LongLine, json_lines


def cut(data: bytes, points: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(point, len(data)) for point in points), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(
    lines=st.lists(st.sampled_from([b"{}", b"", b" ", b"abc", b"abc\r", b"\r", b'"\xe2\x80\xa8"', b"x" * 40])),
    points=st.lists(st.integers(0, 200), max_size=8),
    bom=st.booleans(),
)
def test_lines_do_not_depend_on_where_the_bytes_are_cut(lines: list[bytes], points: list[int], bom: bool) -> None:
    data = (b"\xef\xbb\xbf" if bom else b"") + b"\n".join(lines)
    whole = list(json_lines([data], max_row_bytes=30))
    assert list(json_lines(cut(data, points), max_row_bytes=30)) == whole
    for _, offset, row in whole:
        assert row == data[offset : offset + len(row)] if isinstance(row, bytes) else row.size > 30


def test_numbers_and_offsets_count_blank_lines_and_the_byte_order_mark() -> None:
    data = b"\xef\xbb\xbf{}\r\n\n  \n[1]"
    assert list(json_lines([data])) == [(1, 3, b"{}"), (4, 11, b"[1]")]


def test_a_separator_inside_a_text_does_not_end_a_row() -> None:
    row = '{"q": "a\u2028b\x85c"}'.encode()
    assert list(json_lines([row])) == [(1, 0, row)]


def test_a_line_beyond_the_limit_is_known_by_size_and_hash_and_the_next_one_is_whole() -> None:
    long = b"x" * 5000
    chunks = [(long + b"\n{}\n")[start : start + 100] for start in range(0, 5004, 100)]
    first, second = json_lines(chunks, max_row_bytes=1000)
    assert first == (1, 0, LongLine(size=5000, sha256=hashlib.sha256(long).hexdigest()))
    assert second == (2, 5001, b"{}")


def test_a_long_last_line_without_an_end_is_reported_too() -> None:
    [only] = json_lines([b"x" * 50, b"x" * 50], max_row_bytes=60)
    assert isinstance(only[2], LongLine)
    assert only[2].size == 100
