"""Cheap tests that tell certainly good rows from those that have to be looked at with care.

A screen never says what is wrong and never lets through what the rules reject; it may refuse a good row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers.catalog.training_data import SCHEMA_VERSION
from lambda_handlers.datasets.forms import reserved

# Floats are absent: a fast parser makes one of an integer beyond 64 bits.
_PLAIN: Final = frozenset({int, bool, type(None)})
_ROLES: Final = ("user", "assistant")


def is_harmless(text: str) -> bool:
    """Tell whether a text, or several on lines of their own, can break no rule about texts."""
    return "\0" not in text and reserved.find(text) is None


def is_plain(row: dict[str, Any], line: bytes) -> bool:
    """Tell whether a fast parser can have hidden nothing in a flat row: no container, no cut number, no key twice."""
    strings = len(row)
    within = 0
    for value in row.values():
        if type(value) is str:
            strings += 1
            within += value.count('"')
        elif type(value) not in _PLAIN:
            return False
    return _accounts_for(line, strings, within)


def conversation_texts(row: Mapping[str, Any]) -> list[str] | None:
    """Return the texts of a Converse row of the simplest shape; None for any other row.

    The shape: an optional system prompt, then turns of one text each. The text of the system prompt comes last.
    """
    try:
        return _simple_texts(row)
    except (AttributeError, KeyError, TypeError, ValueError):
        # Something is absent, is more than one, or has another type: what is read of it below fails then.
        return None


def hides_nothing(line: bytes, turns: int, texts: list[str]) -> bool:
    """Tell whether a Converse row of the simplest shape has no key twice; `texts` of `conversation_texts`."""
    strings = 3 + 3 * (len(texts) - turns) + 5 * turns
    return _accounts_for(line, strings, sum([text.count('"') for text in texts]))


def _simple_texts(row: Mapping[str, Any]) -> list[str] | None:
    messages = row["messages"]
    if row["schemaVersion"] != SCHEMA_VERSION or not messages or len(messages) % 2:
        return None
    texts: list[str] = []
    for index, message in enumerate(messages):
        [item] = message["content"]
        text = item["text"]
        if message["role"] != _ROLES[index % 2] or len(message) != 2 or len(item) != 1 or not text.strip():
            return None
        texts.append(text)
    if len(row) == 2:
        return texts
    [system] = row["system"]
    text = system["text"]
    if len(row) != 3 or len(system) != 1 or type(text) is not str:
        return None
    return [*texts, text]


def _accounts_for(line: bytes, strings: int, within: int) -> bool:
    """Tell whether the quotes of a line are those around `strings` keys and texts, and the `within` of their content.

    A key given twice leaves more quotes than what was parsed accounts for, unless escapes of another form (\\u0022)
    make up the difference. A quote in a key is not counted: such a row is looked at with care.
    """
    return line.count(b'"') == 2 * strings + within and not (within and b"\\u0022" in line)
