"""Find where a JSON value ends, without parsing it."""

from __future__ import annotations

import re
import sys
from typing import Final

_DEPTH: Final = 8
# A quote that no backslash precedes ends the text, and is found faster than by looking at each backslash.
_TEXT: Final = rb'"(?:[^"]*+(?<!\\)"|[^"\\]*+(?:\\.[^"\\]*+)*+")'
_IN_TEXT: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_OPENING: Final = re.compile(rb"[{\[]*+")
_CLOSING: Final = re.compile(rb"[}\]]*+")
_WHOLE_TEXTS: Final = re.compile(rb'(?:[^"]++|' + _TEXT + rb")*+", re.DOTALL)
_A_TEXT: Final = re.compile(_TEXT, re.DOTALL)
# From this depth on, bytes are skipped by the number of their brackets.
_DEEP: Final = 64
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

    def end(self, data: bytes, at: int = 0) -> int | None:
        """Return the index behind the value, or None when it goes on after these bytes.

        The value begins, or goes on, at the index `at`.
        """
        if not self._begun:
            self._begun, self._scalar = True, data[at : at + 1] not in b'"{['
        if self._scalar:
            found = _SCALAR_END.search(data, at)
            return found.start() if found else None
        while at < len(data):
            at = self._after_text(data, at) if self._in_text else self._after_brackets(data, at)
            if self._depth == 0 and not self._in_text:
                return at
        return None

    def _after_brackets(self, data: bytes, at: int) -> int:
        """Skip what is whole and shallow, then take a run of brackets or the quote that begins a text."""
        if self._depth > _DEEP:
            at = self._after_deep(data, at)
        elif self._depth:
            at = _matched(_SHALLOW, data, at)
        if data[at : at + 1] == b'"':
            self._in_text = True
            return at + 1
        opened = _matched(_OPENING, data, at)
        self._depth += opened - at
        closed = min(_matched(_CLOSING, data, opened), opened + self._depth)
        self._depth -= closed - opened
        return closed

    def _after_deep(self, data: bytes, at: int) -> int:
        """Skip fewer bytes than there are open brackets: they cannot close them all, whatever they are."""
        end = _matched(_WHOLE_TEXTS, data, at, at + self._depth - 1)
        brackets = _A_TEXT.sub(b"", data[at:end])
        self._depth += sum(map(brackets.count, (b"{", b"["))) - sum(map(brackets.count, (b"}", b"]")))
        return end

    def _after_text(self, data: bytes, at: int) -> int:
        if self._escaped:
            self._escaped = False
            return at + 1
        at = _matched(_IN_TEXT, data, at)
        self._in_text = data[at : at + 1] != b'"'
        self._escaped = data[at : at + 1] == b"\\"
        return at + 1


def _matched(pattern: re.Pattern[bytes], data: bytes, at: int, before: int = sys.maxsize) -> int:
    match = pattern.match(data, at, before)
    return match.end() if match else at
