"""Read CSV: the records of a source with the bytes they were read from, in constant memory."""

from __future__ import annotations

import csv
import io
from collections.abc import Generator, Iterable, Iterator
from typing import Final

from lambda_handlers.datasets.reading.byte_streams import after_bom
from lambda_handlers.datasets.reading.csv_ends import RecordEnd
from lambda_handlers.datasets.reading.csv_rows import RowMaker
from lambda_handlers.datasets.reading.rows import MAX_ROW_BYTES, Damaged, Line, LineCount, Record
from lambda_handlers.datasets.reading.window import Window
from lambda_handlers.protocol.errors import DatasetRejected

# The limit of the csv module on one field holds for the whole process; rows are limited by their bytes here.
_NO_FIELD_LIMIT: Final = 2**31 - 1


def csv_records(
    chunks: Iterable[bytes], *, uri: str, max_row_bytes: int = MAX_ROW_BYTES, lines: LineCount | None = None
) -> Iterator[Line]:
    """Return the records of a source by the names in its first record, empty lines left out.

    Commas separate fields; quoted fields may hold line ends. A record that is not UTF-8, breaks the rules of CSV or
    has another number of fields than the header is Damaged. Raises DatasetRejected for a header that cannot be used, a
    header without records, and a quote that is open at the end.
    """
    csv.field_size_limit(_NO_FIELD_LIMIT)
    return _Source(chunks, uri, max_row_bytes).rows(lines)


class _Source:
    """A source, and how many of its lines come before what its window holds."""

    def __init__(self, chunks: Iterable[bytes], uri: str, limit: int) -> None:
        offset, stream = after_bom(chunks)
        self._window = Window(stream, offset)
        self._uri = uri
        self._limit = limit
        self._make = RowMaker(uri, limit)
        self._lines = 0

    def rows(self, lines: LineCount | None) -> Iterator[Line]:
        window = self._window
        while not window.ended:
            window.grow(self._limit)
            window.drop((yield from self._records(window.data)))
            if window.data and window.ended:
                raise self._open_quote(self._lines + 1)
            if len(window.data) > self._limit:
                yield self._pass_over()
        if lines:
            lines.count = self._lines

    def _records(self, data: bytes) -> Generator[Line, None, int]:
        """Yield the records that end in these bytes; return how many bytes they take."""
        offset, start = self._window.offset, 0
        while start < len(data) and (found := self._with_care(data, start)):
            row, end = found
            if row:
                yield self._lines + 1, offset + start, row
            self._lines += data.count(b"\n", start, end - 1) + 1
            start = end
            if quick := self._make.quick:
                start, self._lines = yield from quick.read(data, start, offset=offset, line=self._lines)
        return min(start, len(data))

    def _with_care(self, data: bytes, start: int) -> tuple[Record | Damaged | None, int] | None:
        """Return what the csv module makes of the record that begins at an index, and the index behind its line end.

        None if more bytes are needed to see its end. What is not UTF-8 is given to the csv module as lone surrogates.
        """
        finder = RecordEnd()
        end = finder.end(data, start)
        if end is None and (finder.in_quotes or not self._window.ended):
            return None
        raw = data[start:end]
        lines = io.StringIO(raw.decode("utf-8", "surrogateescape"), newline="\n")
        try:
            row = self._make.row(raw, next(csv.reader(lines, strict=True), ()))
        except csv.Error as error:
            row = self._make.broken(raw, str(error))
        return row, start + len(raw) + 1

    def _pass_over(self) -> Line:
        window, end, line = self._window, RecordEnd(), self._lines + 1
        offset = window.offset
        damaged, breaks, _ = window.pass_over(end, self._limit)
        if end.in_quotes:
            raise self._open_quote(line)
        window.drop(1)
        self._lines += breaks + 1
        return line, offset, self._make.too_large(damaged)

    def _open_quote(self, line: int) -> DatasetRejected:
        return DatasetRejected(
            f"the dataset {self._uri} has a quote that never closes, in the record that begins in line {line}: "
            'close it, or write a quote inside of a quoted field as ""'
        )
