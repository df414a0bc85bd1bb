"""Words that make a Nova training job fail when they stand in a text (`catalog.training_data`)."""

from __future__ import annotations

import re
from typing import Final

from lambda_handlers.catalog.training_data import RESERVED_MARKS, RESERVED_SPEAKERS


def _behind(word: str, boundary: str = "") -> str:
    return f"(?<={boundary}(?ai:{re.escape(word)}))"


# Whole words only: "superuser:" is fine, "User:" is not. Each pattern begins with its rarest character, which the
# engine looks for at the speed of memory, and looks back from there.
_SPEAKER: Final = re.compile(":(?:" + "|".join(_behind(word, r"(?<!\w)") for word in RESERVED_SPEAKERS) + ")")
_WRITTEN: Final = re.compile("(?ai:" + "|".join(map(re.escape, RESERVED_SPEAKERS)) + r")\Z")
_MARKS: Final = tuple(
    (mark[0], re.compile(re.escape(mark[0]) + f"(?ai:{re.escape(mark[1:])})")) for mark in RESERVED_MARKS
)
# Suspects in a line of JSON: the word may be part of a longer one, because an escape (\\n) looks like a letter there.
_SUSPECT: Final = re.compile((":(?:" + "|".join(_behind(word) for word in RESERVED_SPEAKERS) + ")").encode())
_SUSPECT_MARKS: Final = tuple((first.encode(), re.compile(mark.pattern.encode())) for first, mark in _MARKS)


def find(text: str) -> str | None:
    """Return a reserved word of a text as it is written there, or None."""
    if ":" in text and (colon := _SPEAKER.search(text)):
        written = _WRITTEN.search(text, 0, colon.end())
        return written.group() if written else ":"
    for first, mark in _MARKS:
        if first in text and (found := mark.search(text)):
            return found.group()
    return None


def is_suspect(line: bytes) -> bool:
    """Tell whether a line of JSON in which only control characters are escaped may contain a reserved word."""
    if b":" in line and _SUSPECT.search(line):
        return True
    return any(first in line and mark.search(line) for first, mark in _SUSPECT_MARKS)
