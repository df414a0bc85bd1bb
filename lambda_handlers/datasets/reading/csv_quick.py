"""Read records of CSV that have nothing special about them by a pattern, in a fraction of the csv module's time."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from typing import Final

from lambda_handlers.datasets.reading.rows import Line, Record

# What the csv module in strict mode takes for a field: behind a quote that begins it, and without one. In a plain field
# a quote is a character as any other. Nothing is tried twice: what a repetition took, it keeps.
QUOTED_REST: Final = rb'[^"]*+(?:""[^"]*+)*+'
PLAIN: Final = rb"[^,\r\n]*+"
# A pattern with groups for each of very many columns takes long to make.
_MAX_WIDTH: Final = 100


class QuickRecords:
    """Reads the records that have a field for each name, up to one that has to be looked at with care."""

    def __init__(self, names: Sequence[str], limit: int) -> None:
        """Take the names in the header and the limit of a row in bytes."""
        self._names = names
        self._limit = limit if len(names) <= _MAX_WIDTH else 0
        fields = [_field(2 * column + 1) for column in range(min(len(names), _MAX_WIDTH))]
        # An empty line is no record, not even one with one field.
        self._match = re.compile(rb"(?![\r\n])" + b",".join(fields) + rb"()\r?\n").match

    def read(self, data: bytes, start: int, *, offset: int, line: int) -> Generator[Line, None, tuple[int, int]]:
        """Yield the records from an index on; return the index behind the last one, and how many lines end before it.

        `offset` is that of the data, `line` how many lines end before the first record. A record that is not whole, not
        UTF-8 or too large, or has another number of fields, ends it.
        """
        match, names, limit, behind = self._match, self._names, self._limit, 2 * len(self._names) + 1
        while (found := match(data, start)) and (end := found.end()) - start <= limit:
            groups = found.groups()
            try:
                # The pattern has a group for each name, and a strict zip takes longer. To look for one quote takes
                # much less time than to look for two.
                values = {
                    name: text.replace('""', '"') if '"' in text and quote else text
                    for name, quote, text in zip(names, groups[::2], map(bytes.decode, groups[1::2]))  # noqa: B905
                }
            except UnicodeDecodeError:
                break
            yield line + 1, offset + start, Record(data[start : found.end(behind)], values)
            line += data.count(b"\n", start, end)
            start = end
        return start, line


def _field(group: int) -> bytes:
    """Return the pattern of a field: a group for its opening quote, and one for what stands between its quotes."""
    return rb'(")?+((?(%d)%b|%b))(?(%d)")' % (group, QUOTED_REST, PLAIN, group)
