"""Read CSV: the records of a source with the bytes they were read from, in constant memory."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from typing import Final

from lambda_handlers.datasets.reading.byte_streams import after_bom, split_lines
from lambda_handlers.datasets.reading.csv_ends import RecordEnd
from lambda_handlers.datasets.reading.csv_rows import RowMaker
from lambda_handlers.datasets.reading.rows import MAX_ROW_BYTES, Line, LineCount, Record
from lambda_handlers.datasets.reading.window import Window
from lambda_handlers.protocol.errors import DatasetRejected

# The limit of the csv module on one field holds for the whole process; rows are limited by their bytes here.
_NO_FIELD_LIMIT: Final = 2**31 - 1


def csv_records(
    chunks: Iterable[bytes], *, uri: str, max_row_bytes: int = MAX_ROW_BYTES, lines: LineCount | None = None
) -> Iterator[Line]:
    """Yield the records of a source by the names in its first record, empty lines left out.

    Commas separate fields; quoted fields may hold line ends. A record that is not UTF-8, breaks the rules of CSV or
    has another number of fields than the header is Damaged. Raises DatasetRejected for a header that cannot be used, a
    header without records, and a quote that is open at the end.
    """
    csv.field_size_limit(_NO_FIELD_LIMIT)
    source = _Source(chunks, uri, max_row_bytes)
    yield from source.rows()
    if lines is not None:
        lines.count = source.lines


class _Source:
    """A source, and how many of its lines come before what its window holds."""

    def __init__(self, chunks: Iterable[bytes], uri: str, limit: int) -> None:
        offset, stream = after_bom(chunks)
        self._window = Window(stream, offset)
        self._uri = uri
        self._limit = limit
        self._make = RowMaker(uri, limit)
        self._exhausted = False
        self.lines = 0

    def rows(self) -> Iterator[Line]:
        window = self._window
        while not window.ended:
            window.grow(self._limit)
            end = len(window.data) if window.ended else window.data.rfind(b"\n") + 1
            window.drop((yield from self._records(window.data[:end])))
            if window.data and window.ended:
                raise self._open_quote(self.lines + 1)
            if len(window.data) > self._limit:
                yield self._pass_over()

    def _records(self, block: bytes) -> Generator[Line, None, int]:
        """Yield the records of some lines; return how many bytes they take, less than given if a quote is open."""
        texts, sound = _texts(block)
        names, width = self._make.names, len(self._make.names) or -1
        sound = sound and len(block) <= self._limit
        lines, has_returns = split_lines(block), b"\r" in block
        offset = begin = self._window.offset
        first, seen = self.lines + 1, 0
        self._exhausted = False
        reader = csv.reader(chain(texts, self._mark_end()), strict=True)
        while True:
            try:
                for fields in reader:
                    count = reader.line_num
                    raw = lines[seen] if count == seen + 1 else b"\n".join(lines[seen:count])
                    following = offset + len(raw) + 1
                    if sound and len(fields) == width:
                        if has_returns:
                            raw = raw.removesuffix(b"\r")
                        yield first + seen, offset, Record(raw, dict(zip(names, fields)))  # noqa: B905
                    elif row := self._make.row(raw, fields):
                        yield first + seen, offset, row
                    offset, seen = following, count
                break
            except csv.Error as error:
                if self._exhausted:
                    break
                raw = b"\n".join(lines[seen : reader.line_num])
                yield first + seen, offset, self._make.broken(raw, str(error))
                offset, seen = offset + len(raw) + 1, reader.line_num
        self.lines += seen
        return min(offset - begin, len(block))

    def _mark_end(self) -> Iterator[str]:
        """Yield nothing, but note that the csv module asked for more: an error it raises then is an open quote."""
        self._exhausted = True
        yield from ()

    def _pass_over(self) -> Line:
        window, end, line = self._window, RecordEnd(), self.lines + 1
        offset = window.offset
        damaged, breaks, _ = window.pass_over(end, self._limit)
        if end.in_quotes:
            raise self._open_quote(line)
        window.drop(1)
        self.lines += breaks + 1
        return line, offset, self._make.too_large(damaged)

    def _open_quote(self, line: int) -> DatasetRejected:
        return DatasetRejected(
            f"the dataset {self._uri} has a quote that never closes, in the record that begins in line {line}: "
            'close it, or write a quote inside of a quoted field as ""'
        )


def _texts(block: bytes) -> tuple[Iterable[str], bool]:
    """Return the lines of a block as texts, and whether all of it is UTF-8; other bytes become lone surrogates."""
    try:
        text, sound = block.decode(), True
    except UnicodeDecodeError:
        text, sound = block.decode("utf-8", "surrogateescape"), False
    lines = split_lines(text)
    # Only a quoted field can hold a line end, so that elsewhere the lines may go without theirs.
    return ([f"{line}\n" for line in lines] if b'"' in block else lines), sound
