"""Rules for one text, shared by the transforms and the validator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lambda_handlers.datasets.faults import Fault
from lambda_handlers.datasets.forms import reserved


def kind(value: object) -> str:
    """Name the JSON type of a value."""
    if value is None:
        return "null"
    names = {bool: "a boolean", dict: "an object", list: "an array", str: "a text"}
    return names.get(type(value), "a number")


def required_text(value: Any, place: str) -> Iterator[Fault]:
    """Yield what is wrong with a text that has to be there; null and white space count as missing."""
    if is_missing(value):
        yield Fault("missing_text", f"{place} is {'null' if value is None else 'empty'}")
    else:
        yield from optional_text(value, place)


def optional_text(value: Any, place: str) -> Iterator[Fault]:
    """Yield what is wrong with a text that may be empty."""
    yield from plain_text(value, place)
    word = reserved.find(value) if isinstance(value, str) else None
    if word is not None:
        yield Fault("reserved_word", f'{place} contains "{word}", which makes training fail')


def plain_text(value: Any, place: str) -> Iterator[Fault]:
    """Yield what is wrong with a text that may be empty and may contain reserved words."""
    if not isinstance(value, str):
        yield Fault("wrong_type", f"{place} is {kind(value)}, not a text")
    elif "\0" in value:
        yield Fault("nul_character", f"{place} contains a NUL character")


def required_plain_text(value: Any, place: str) -> Iterator[Fault]:
    """Yield what is wrong with a text that has to be there and may contain reserved words."""
    if is_missing(value):
        yield Fault("missing_text", f"{place} is {'null' if value is None else 'empty'}")
    else:
        yield from plain_text(value, place)


def is_missing(value: Any) -> bool:
    """Tell whether a value is null or a text of white space."""
    return value is None or (isinstance(value, str) and not value.strip())


def is_named(value: object) -> bool:
    """Tell whether a value is a text with more than white space."""
    return isinstance(value, str) and bool(value.strip())
