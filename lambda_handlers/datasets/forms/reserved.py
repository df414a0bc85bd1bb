"""Words that make a Nova training job fail when they stand in a text (`catalog.training_data`)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from lambda_handlers.catalog.training_data import RESERVED_MARKS, RESERVED_SPEAKERS


def _any_case(words: Iterable[str]) -> str:
    return "(?ai:" + "|".join(map(re.escape, words)) + ")"


def _last_letter(words: Iterable[str]) -> str:
    letters = {word[-2] for word in words}
    return "[" + "".join(sorted({case for letter in letters for case in (letter.lower(), letter.upper())})) + "]"


# Whole words only: "superuser:" is fine, "User:" is not. Each pattern begins with its rarest character, which the
# engine looks for at the speed of memory, and looks back from there: first at one letter, then at whole words.
_SPEAKER: Final = re.compile(
    f":(?<={_last_letter(RESERVED_SPEAKERS)}:)(?:"
    + "|".join(f"(?<=(?<!\\w){_any_case([word])})" for word in RESERVED_SPEAKERS)
    + ")"
)
_WRITTEN: Final = re.compile(_any_case(RESERVED_SPEAKERS) + r"\Z")
_TAG: Final = re.compile("<" + _any_case(mark[1:] for mark in RESERVED_MARKS if mark[0] == "<"))
_END: Final = re.compile(r"\[" + _any_case(mark[1:] for mark in RESERVED_MARKS if mark[0] == "["))


def find(text: str) -> str | None:
    """Return a reserved word of a text as it is written there, or None."""
    if ":" in text and (colon := _SPEAKER.search(text)):
        written = _WRITTEN.search(text, 0, colon.end())
        return written.group() if written else ":"
    if "<" in text and (tag := _TAG.search(text)):
        return tag.group()
    if "[" in text and (end := _END.search(text)):
        return end.group()
    return None
