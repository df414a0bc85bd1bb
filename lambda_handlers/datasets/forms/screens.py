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
    messages, system = row.get("messages"), [] if len(row) == 2 else _system_text(row)
    if row.get("schemaVersion") != SCHEMA_VERSION or type(messages) is not list or system is None:
        return None
    if not messages or len(messages) % 2:
        return None
    texts = []
    for index, message in enumerate(messages):
        text = _turn_text(message, _ROLES[index % 2])
        if not text:
            return None
        texts.append(text)
    return texts + system


def hides_nothing(line: bytes, turns: int, texts: list[str]) -> bool:
    """Tell whether a Converse row of the simplest shape has no key twice; `texts` of `conversation_texts`."""
    strings = 3 + 3 * (len(texts) - turns) + 5 * turns
    return _accounts_for(line, strings, sum([text.count('"') for text in texts]))


def _system_text(row: Mapping[str, Any]) -> list[str] | None:
    system = row.get("system")
    if len(row) != 3 or type(system) is not list or len(system) != 1 or type(system[0]) is not dict:
        return None
    text = system[0].get("text")
    return [text] if type(text) is str and len(system[0]) == 1 else None


def _turn_text(message: Any, role: str) -> str | None:
    if type(message) is not dict or len(message) != 2 or message.get("role") != role:
        return None
    content = message.get("content")
    if type(content) is not list or len(content) != 1 or type(content[0]) is not dict or len(content[0]) != 1:
        return None
    text = content[0].get("text")
    return text if type(text) is str and text.strip() else None


def _accounts_for(line: bytes, strings: int, within: int) -> bool:
    """Tell whether the quotes of a line are those around `strings` keys and texts, and the `within` of their content.

    A key given twice leaves more quotes than what was parsed accounts for, unless escapes of another form (\\u0022)
    make up the difference. A quote in a key is not counted: such a row is looked at with care.
    """
    return line.count(b'"') == 2 * strings + within and not (within and b"\\u0022" in line)
