"""Read a value that was written as Python's `repr` or as JSON, without running anything and within limits."""

from __future__ import annotations

import ast
import json
import re
from typing import Any, Final

MOST_CHARACTERS: Final = 16 * 1024**2
MOST_DEPTH: Final = 32
MOST_TOKENS: Final = 100_000

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<string>'[^'\\]*+(?:\\.[^'\\]*+)*+'|"[^"\\]*+(?:\\.[^"\\]*+)*+")
      | (?P<opens>[\[({])
      | (?P<closes>[\])}])
      | (?P<other>[,:]|[-+.\w]++)
    )""",
    re.DOTALL | re.VERBOSE,
)


class NotAValueError(ValueError):
    """The text is no list, mapping, text or number in either form, or is beyond the limits."""


def value_of(text: str) -> Any:
    """Return the value that a text stands for; raise NotAValueError.

    Whatever is JSON is read as JSON: where `repr` writes something that is JSON too, both mean the same.
    """
    _check(text)
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise NotAValueError(f"neither JSON nor a Python literal ({error})") from error


def _check(text: str) -> None:
    """Raise NotAValueError for what is too long or too deep, or holds what neither form has, such as a comment."""
    if len(text) > MOST_CHARACTERS:
        raise NotAValueError(f"of {len(text)} characters; at most {MOST_CHARACTERS} are read")
    position, depth, end, after_string = 0, 0, len(text.rstrip()), False
    for _ in range(MOST_TOKENS):
        if position >= end:
            return
        token = _TOKEN.match(text, position, end)
        # Two strings side by side would be one to Python, and may hide what follows from this scan.
        if token is None or (after_string and token["string"]):
            raise NotAValueError(f"neither JSON nor a Python literal at character {position + 1}")
        depth += bool(token["opens"]) - bool(token["closes"])
        if depth > MOST_DEPTH:
            raise NotAValueError(f"nested more than {MOST_DEPTH} deep")
        position, after_string = token.end(), bool(token["string"])
    if position < end:
        raise NotAValueError(f"of more than {MOST_TOKENS} parts")
