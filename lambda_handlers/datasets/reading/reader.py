"""Read the rows of one file or S3 object, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lambda_handlers.datasets.reading.byte_streams import line_range, peek
from lambda_handlers.datasets.reading.csv_records import csv_records
from lambda_handlers.datasets.reading.json_documents import json_documents
from lambda_handlers.datasets.reading.json_lines import json_lines
from lambda_handlers.datasets.reading.rows import MAX_ROW_BYTES, Line, LineCount, SourceObject
from lambda_handlers.datasets.reading.source_format import SourceFormat, check_encoding, format_of
from lambda_handlers.datasets.reading.unpacking import unpacked
from lambda_handlers.protocol.errors import DatasetRejected

_HEAD: Final = 4


def source_format(source: SourceObject) -> SourceFormat:
    """Return the format of a source, from its name and its first bytes."""
    head, _ = peek(source.chunks(), _HEAD)
    return format_of(source.uri, head)


def read_rows(
    source: SourceObject,
    *,
    start: int = 0,
    end: int | None = None,
    max_row_bytes: int = MAX_ROW_BYTES,
    lines: LineCount | None = None,
) -> Iterator[Line]:
    """Yield the rows of a source, blank lines left out.

    With `start` and `end`, bytes from the beginning of a source that `is_splittable`, only the rows that begin in
    [start, end), the last one whole; line numbers then count from the first line that begins there, and a range may
    be without rows. `lines` receives the number of lines at the end. A row that cannot be read comes as Damaged, also
    one above `max_row_bytes`. A source that is read whole is read to its last byte exactly once.

    Raises InvalidRequest for a name that tells no format, DatasetRejected for content that is broken or holds no row,
    DataPreparationFailed when the source changes or vanishes while it is read.
    """
    if start or end is not None:
        offset, stream = line_range(source.chunks(max(start - 1, 0)), start, end)
        if start == 0:
            stream = _checked(stream, source.uri)
        yield from json_lines(stream, offset=offset, max_row_bytes=max_row_bytes, lines=lines)
        return
    rows = _all_rows(source, max_row_bytes, lines)
    for first in rows:
        yield first
        yield from rows
        return
    raise no_rows(source.uri)


def no_rows(uri: str) -> DatasetRejected:
    """Make the error for a source in which there is nothing to read."""
    return DatasetRejected(f"the dataset {uri} holds no rows: give a file with at least one")


def _all_rows(source: SourceObject, max_row_bytes: int, lines: LineCount | None) -> Iterator[Line]:
    uri = source.uri
    head, stream = peek(source.chunks(), _HEAD)
    source_format = format_of(uri, head)
    stream = _checked(unpacked(stream, uri=uri) if source_format.gzipped else stream, uri)
    if source_format.kind == "jsonl":
        return json_lines(stream, max_row_bytes=max_row_bytes, lines=lines)
    read = json_documents if source_format.kind == "json" else csv_records
    return read(stream, uri=uri, max_row_bytes=max_row_bytes, lines=lines)


def _checked(stream: Iterator[bytes], uri: str) -> Iterator[bytes]:
    head, stream = peek(stream, _HEAD)
    check_encoding(uri, head)
    return stream
