"""Find where a JSON value ends, without parsing it."""

from __future__ import annotations

import re
from typing import Final

_DEPTH: Final = 8
# A quote that no backslash precedes ends the text, and is found faster than by looking at each backslash.
_TEXT: Final = rb'"(?:[^"]*+(?<!\\)"|[^"\\]*+(?:\\.[^"\\]*+)*+")'
_IN_TEXT: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_OPENING: Final = re.compile(rb"[{\[]*+")
_CLOSING: Final = re.compile(rb"[}\]]*+")
_SCALAR_END: Final = re.compile(rb"[ \t\r\n,\]}]")


def _nested(depth: int) -> bytes:
    inner = b"|" + _nested(depth - 1) if depth > 1 else b""
    return rb"[{\[](?:[^\"{}\[\]]++|" + _TEXT + inner + rb")*+[}\]]"


_SHALLOW: Final = re.compile(rb"(?:[^\"{}\[\]]++|" + _TEXT + b"|" + _nested(2) + b")*+", re.DOTALL)

ELEMENT: Final = re.compile(
    rb"[ \t\r\n]*+(" + _nested(_DEPTH) + b"|" + _TEXT + rb'|[^ \t\r\n,"{}\[\]]++)[ \t\r\n]*+([,\]])', re.DOTALL
)
"""A value of an array and the comma or bracket behind it; it knows values up to eight levels deep."""


class ValueEnd:
    """Finds the end of one value of any depth, in pieces; brackets are counted, not paired."""

    def __init__(self) -> None:
        self._depth = 0
        self._begun = self._in_text = self._escaped = self._scalar = False

    def end(self, data: bytes) -> int | None:
        """Return the index behind the value, or None when it goes on after these bytes."""
        if not self._begun:
            self._begun, self._scalar = True, data[:1] not in b'"{['
        if self._scalar:
            found = _SCALAR_END.search(data)
            return found.start() if found else None
        at = 0
        while at < len(data):
            at = self._after_text(data, at) if self._in_text else self._after_brackets(data, at)
            if self._depth == 0 and not self._in_text:
                return at
        return None

    def _after_brackets(self, data: bytes, at: int) -> int:
        """Skip what is whole and shallow, then take a run of brackets or the quote that begins a text."""
        if self._depth:
            at = _matched(_SHALLOW, data, at)
        if data[at : at + 1] == b'"':
            self._in_text = True
            return at + 1
        opened = _matched(_OPENING, data, at)
        self._depth += opened - at
        closed = min(_matched(_CLOSING, data, opened), opened + self._depth)
        self._depth -= closed - opened
        return closed

    def _after_text(self, data: bytes, at: int) -> int:
        if self._escaped:
            self._escaped = False
            return at + 1
        at = _matched(_IN_TEXT, data, at)
        self._in_text = data[at : at + 1] != b'"'
        self._escaped = data[at : at + 1] == b"\\"
        return at + 1


def _matched(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    match = pattern.match(data, at)
    return match.end() if match else at
