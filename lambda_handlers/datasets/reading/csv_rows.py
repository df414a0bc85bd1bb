"""Make rows of CSV records by the names in the header, and say what is wrong with those that are not usable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lambda_handlers.datasets.reading.csv_quick import QuickRecords
from lambda_handlers.datasets.reading.damage import Measure, damaged
from lambda_handlers.datasets.reading.rows import Damaged, Record
from lambda_handlers.protocol.errors import DatasetRejected


class RowMaker:
    """Takes the records of one source in order, the header first; `quick` is None until then."""

    def __init__(self, uri: str, limit: int) -> None:
        self._uri = uri
        self._limit = limit
        self._names: Sequence[str] = ()
        self.quick: QuickRecords | None = None

    def row(self, raw: bytes, fields: Sequence[str]) -> Record | Damaged | None:
        """Return the row of a record; None for a blank line and for the header.

        Raises DatasetRejected for a header with empty or equal names.
        """
        if not fields or (len(self._names) != 1 and raw.isspace()):
            return None
        unreadable = self._unreadable(raw)
        if not self._names:
            self._check_header(unreadable)
            self._names = self._checked_names(fields)
            self.quick = QuickRecords(self._names, self._limit)
            return None
        if unreadable:
            return unreadable
        raw = raw.removesuffix(b"\r")
        if len(fields) != len(self._names):
            return damaged(
                "ragged_row", f"the record has {len(fields)} fields where the header has {len(self._names)}", raw
            )
        return Record(raw, dict(zip(self._names, fields, strict=True)))

    def broken(self, raw: bytes, problem: str) -> Damaged:
        """Return what the csv module refuses as a damaged row; raise DatasetRejected if it is the header."""
        fault = "csv_syntax", f"the record is not CSV: {problem}"
        row = self._unreadable(raw) or damaged(*fault, raw.removesuffix(b"\r"))
        self._check_header(row)
        return row

    def too_large(self, row: Damaged) -> Damaged:
        """Return a row that is too large to hold; raise DatasetRejected if it is the header."""
        self._check_header(row)
        return row

    def _unreadable(self, raw: bytes) -> Damaged | None:
        if len(raw) > self._limit:
            return Measure(self._limit, raw).damaged()
        raw = raw.removesuffix(b"\r")
        try:
            raw.decode()
        except UnicodeDecodeError as error:
            return damaged("invalid_utf8", f"byte {error.start + 1} of the record is not UTF-8", raw)
        return None

    def _check_header(self, row: Damaged | None) -> None:
        if row and not self._names:
            raise self._header_error(row.fault.message)

    def _checked_names(self, fields: Sequence[str]) -> Sequence[str]:
        unnamed = next((position for position, name in enumerate(fields, start=1) if not name.strip()), None)
        if unnamed:
            raise self._header_error(f"column {unnamed} of {len(fields)} has no name")
        twice = next((name for name, times in Counter(fields).items() if times > 1), None)
        if twice is not None:
            raise self._header_error(f'the column "{twice}" stands there twice')
        return tuple(fields)

    def _header_error(self, problem: str) -> DatasetRejected:
        return DatasetRejected(
            f"the dataset {self._uri} has no usable header: {problem}; its first line names the columns, each once"
        )
