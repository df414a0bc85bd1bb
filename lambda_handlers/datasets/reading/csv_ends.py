"""Find where a CSV record ends, without holding it."""

from __future__ import annotations

import re
from typing import Final, Literal

from lambda_handlers.datasets.reading.csv_quick import PLAIN, QUOTED_REST

_State = Literal["field", "plain", "quoted", "closed", "broken"]

_UP_TO: Final[dict[_State, re.Pattern[bytes]]] = {
    "field": re.compile(rb'(?:(?:"%b"|(?!")%b),)*+' % (QUOTED_REST, PLAIN)),
    "plain": re.compile(rb"[^,\n\r]*+"),
    "quoted": re.compile(QUOTED_REST),
    "closed": re.compile(b""),
    "broken": re.compile(rb"[^\n]*+"),
}
_FOLLOWING: Final[dict[_State, dict[bytes, _State]]] = {
    "field": {b'"': "quoted", b",": "field", b"\r": "broken"},
    "plain": {b",": "field", b"\r": "broken"},
    "quoted": {b'"': "closed"},
    "closed": {b'"': "quoted", b",": "field"},
    "broken": {},
}
_OTHERWISE: Final[dict[_State, _State]] = {
    "field": "plain",
    "plain": "plain",
    "quoted": "quoted",
    "closed": "broken",
    "broken": "broken",
}


class RecordEnd:
    """Finds the line end behind one record, in pieces, where the csv module in strict mode sees it.

    Behind a fault, and behind a carriage return outside of quotes, a record ends with its line.
    """

    def __init__(self) -> None:
        self._state: _State = "field"

    @property
    def in_quotes(self) -> bool:
        """Tell whether a quote is open."""
        return self._state == "quoted"

    def end(self, data: bytes, at: int = 0) -> int | None:
        """Return the index of the line end behind the record, or None when it goes on after these bytes.

        The record begins, or goes on, at the index `at`.
        """
        while True:
            skipped = _UP_TO[self._state].match(data, at)
            at = skipped.end() if skipped else at
            if at == len(data):
                return None
            byte = data[at : at + 1]
            if byte == b"\n":
                return at
            self._state = _FOLLOWING[self._state].get(byte, _OTHERWISE[self._state])
            at += 1
