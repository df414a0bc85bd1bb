"""Words that make a Nova training job fail when they stand in a text (AWS, Nova 2 data preparation page)."""

from __future__ import annotations

import re
from typing import Final

# Whole words only: "superuser:" is fine, "User:" is not. Each pattern begins with its rarest character, which the
# engine looks for at the speed of memory, and looks back from there.
_WORD: Final = re.compile(
    r":(?:(?<=(?<!\w)(?ai:user:))|(?<=(?<!\w)(?ai:bot:))|(?<=(?<!\w)(?ai:assistant:))|(?<=(?<!\w)(?ai:system:)))"
)
_TAG: Final = re.compile(r"<(?ai:image|video)>")
_END: Final = re.compile(r"\[(?ai:eos)\]")
_WRITTEN: Final = re.compile(r"(?ai:user|bot|assistant|system):\Z")


def find(text: str) -> str | None:
    """Return a reserved word of a text as it is written there, or None."""
    if ":" in text and (colon := _WORD.search(text)):
        written = _WRITTEN.search(text, 0, colon.end())
        return written.group() if written else ":"
    if "<" in text and (tag := _TAG.search(text)):
        return tag.group()
    if "[" in text and (end := _END.search(text)):
        return end.group()
    return None
