"""Read a JSON document: the elements of an array one by one, or one object, in constant memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from lambda_handlers.datasets.reading.byte_streams import after_bom
from lambda_handlers.datasets.reading.damage import Measure
from lambda_handlers.datasets.reading.json_values import ELEMENT, ValueEnd
from lambda_handlers.datasets.reading.rows import MAX_ROW_BYTES, Damaged, Line, LineCount
from lambda_handlers.datasets.reading.window import Window
from lambda_handlers.protocol.errors import DatasetRejected

_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_CLOSING: Final = ord("]")


def json_documents(
    chunks: Iterable[bytes], *, uri: str, max_row_bytes: int = MAX_ROW_BYTES, lines: LineCount | None = None
) -> Iterator[Line]:
    """Yield the elements of a document that is an array, or the document itself if it is an object, as their bytes.

    What is inside of an element is not looked at beyond its brackets and texts. Raises DatasetRejected where the
    document is truncated, is something else, or has anything but one comma between two elements.
    """
    document = _Document(chunks, uri, max_row_bytes)
    yield from document.rows()
    if lines is not None:
        lines.count = document.lines


class _Document:
    """A document and the place up to which it was read.

    `_at` is its index in the window and `_line` the number of the line on which it is.
    """

    def __init__(self, chunks: Iterable[bytes], uri: str, limit: int) -> None:
        offset, stream = after_bom(chunks)
        self._window = Window(stream, offset)
        self._uri = uri
        self._limit = limit
        self._at = 0
        self._line = 1
        self._line_begins = True

    @property
    def lines(self) -> int:
        """Return how many lines began so far."""
        return self._line - self._line_begins

    def rows(self) -> Iterator[Line]:
        first = self._next_byte()
        if first == b"[":
            self._go_to(self._at + 1)
            if self._next_byte() == b"]":
                self._go_to(self._at + 1)
            else:
                yield from self._elements()
        elif first == b"{":
            yield self._value()
        elif first:
            raise self._broken(f"a dataset begins with [ or {{, not with {_shown(first)}")
        if behind := self._next_byte():
            hint = " (one object on each line is JSON Lines: name the file .jsonl)" if behind == b"{" else ""
            raise self._broken(f"{_shown(behind)} follows after the end of the document{hint}")

    def _elements(self) -> Iterator[Line]:
        while True:
            data, offset, limit = self._window.data, self._window.offset, self._limit
            line, at, counted = self._line, self._at, self._at
            while match := ELEMENT.match(data, at):
                begin, end = match.span(1)
                line += data.count(b"\n", counted, begin)
                counted = begin
                element = match[1]
                yield line, offset + begin, element if end - begin <= limit else Measure(limit, element).damaged()
                at = match.end()
            closed = at > self._at and data[at - 1] == _CLOSING
            self._go_to(at)
            if closed:
                return
            # What is left is not held to its end, is nested deeper than the expression knows, or is broken.
            yield self._value()
            mark = self._next_byte()
            if mark not in (b",", b"]"):
                raise self._broken(f"a comma or ] has to follow an element, not {_shown(mark)}")
            self._go_to(self._at + 1)
            if mark == b"]":
                return

    def _value(self) -> Line:
        first = self._next_byte()
        if first in (b"", b",", b"]", b"}"):
            raise self._broken(f"an element has to stand here, not {_shown(first)}")
        window, line, offset = self._window, self._line, self._window.offset + self._at
        value_end, looked_at = ValueEnd(), self._at
        while (end := value_end.end(window.data, looked_at)) is None:
            self._let_go()
            looked_at = len(window.data)
            if looked_at > self._limit:
                return line, offset, self._pass_over(line, value_end)
            if window.ended:
                raise self._broken("it ends inside of the value that begins here")
            window.grow(self._limit)
        value = window.data[self._at : end]
        self._go_to(end)
        return line, offset, value if len(value) <= self._limit else Measure(self._limit, value).damaged()

    def _pass_over(self, line: int, value_end: ValueEnd) -> Damaged:
        """Go behind a value that is too large; `value_end` looked at all of the window, where the value begins."""
        damaged, breaks, whole = self._window.pass_over(value_end, self._limit, len(self._window.data))
        if not whole:
            raise self._broken(f"it ends inside of the value of {damaged.size} bytes that begins in that line")
        self._line = line + breaks
        self._line_begins = False
        return damaged

    def _next_byte(self) -> bytes:
        """Go to the next byte that is not white space and return it, b"" at the end."""
        window = self._window
        while True:
            space = _SPACE.match(window.data, self._at)
            self._go_to(space.end() if space else self._at)
            if self._at < len(window.data) or window.ended:
                return window.data[self._at : self._at + 1]
            self._let_go()
            window.grow(self._limit)

    def _go_to(self, at: int) -> None:
        """Go on to an index in the window."""
        if at > self._at:
            data = self._window.data
            self._line += data.count(b"\n", self._at, at)
            self._line_begins = data[at - 1 : at] == b"\n"
            self._at = at

    def _let_go(self) -> None:
        """Let go of what was read. That copies what is left, so it is done before the window grows only."""
        self._window.drop(self._at)
        self._at = 0

    def _broken(self, what: str) -> DatasetRejected:
        where = f"line {self._line}, byte {self._window.offset + self._at}"
        return DatasetRejected(f"the dataset {self._uri} is not a whole JSON document: at {where}, {what}")


def _shown(byte: bytes) -> str:
    return byte.decode("ascii", "backslashreplace") if byte else "the end of the file"
