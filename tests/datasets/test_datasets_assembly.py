"""Pass two: accepted lines go where the assignment says, in order, and quarantined rows get their numbers."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_handlers.datasets.passes.assembly import assemble, renumber
from lambda_handlers.datasets.passes.summary import Base
from lambda_handlers.datasets.writers import LineWriter
from tests.datasets.passes_support import MemorySink


def pieces(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


@settings(deadline=None)  # a busy machine is not a failure
@given(codes=st.lists(st.integers(0, 5), max_size=30), size=st.integers(1, 40))
def test_each_line_goes_to_the_writer_of_its_code(codes: list[int], size: int) -> None:
    lines = [b"line %d" % number * (number % 3 + 1) for number in range(len(codes))]
    sinks = [MemorySink(), MemorySink(), MemorySink()]
    writers = {code: LineWriter(sink) for code, sink in enumerate(sinks)}
    assemble(pieces(b"".join(line + b"\n" for line in lines), size), bytes(codes), writers)
    for code, sink in enumerate(sinks):
        writers[code].close()
        expected = [line for line, found in zip(lines, codes, strict=True) if found == code]
        assert sink.content.splitlines() == expected
        assert writers[code].written().rows == len(expected)


@pytest.mark.parametrize(
    ("content", "codes", "words"),
    [
        (b"a\nb\n", b"\0", "2 lines for 1 rows"),
        (b"a\n", b"\0\0", "1 lines for 2 rows"),
        (b"a\nb", b"\0\0", "the last line has no end"),
    ],
)
def test_lines_that_are_not_those_of_the_codes_are_noticed(content: bytes, codes: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        assemble([content], codes, {0: LineWriter(MemorySink())})


@settings(deadline=None)  # a busy machine is not a failure
@given(
    rows=st.lists(st.tuples(st.integers(1, 10**9), st.integers(1, 10**9), st.text())),
    base=st.builds(Base, rows=st.integers(0, 10**12), lines=st.integers(0, 10**12)),
    size=st.integers(1, 60),
)
def test_quarantined_rows_are_renumbered_and_otherwise_the_same(
    rows: list[tuple[int, int, str]], base: Base, size: int
) -> None:
    def lines(by: Base) -> bytes:
        records = [
            {"row": row + by.rows, "line": line + by.lines, "source": f'{{"row":1,"line":2,{text}', "original": text}
            for row, line, text in rows
        ]
        return b"".join(orjson.dumps(record) + b"\n" for record in records)

    sink = MemorySink()
    writer = LineWriter(sink)
    renumber(pieces(lines(Base()), size), base, writer)
    writer.close()
    assert sink.content == lines(base)
