"""Strict JSON: what a fast parser accepts silently is found here."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, Final, NoReturn

from lambda_handlers.datasets.faults import RejectedRowError, reject

MAX_DEPTH: Final = 200
_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**64 - 1
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def parse(line: bytes) -> dict[str, Any]:
    """Parse one line strictly.

    Raises RejectedRowError for bytes that are not UTF-8, text that is not JSON, NaN and Infinity, a key given twice,
    numbers beyond 64 bits, lone surrogates, deep nesting, and anything that is not an object.
    """
    row = _load(_decode(line))
    if type(row) is not dict:
        raise reject("not_an_object", f"the row is {_kind(row)}, not a JSON object")
    check(row)
    return row


def value_of(text: str) -> Any:
    """Return the JSON value that a text is, parsed as strictly as a line; the text itself where it is none."""
    try:
        value = _load(text)
        check(value)
    except RejectedRowError:
        return text
    return value


def _decode(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise reject("invalid_utf8", f"byte {error.start + 1} of the line is not UTF-8") from None


def _load(text: str) -> Any:
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_float
        )
    except json.JSONDecodeError as error:
        raise reject("not_json", f"the line is not JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise _too_deep() from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise reject("duplicate_key", f'the key "{_shown(twice)}" stands twice in one object')
    return keys


def _constant(name: str) -> NoReturn:
    raise reject("not_json", f"the line is not JSON: {name} is not a JSON number")


def _integer(digits: str) -> int:
    # 20 digits hold every 64-bit number; int() of a longer text may cost quadratic time or be refused.
    if len(digits) > 21 or not _SMALLEST <= (value := int(digits)) <= _LARGEST:
        raise reject("number_out_of_range", f"the number {digits[:40]} does not fit 64 bits")
    return value


def _float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise reject("number_out_of_range", f"the number {digits[:40]} does not fit 64 bits")
    return value


def check(row: Any) -> None:
    """Raise RejectedRowError for deep nesting and for lone surrogates anywhere in a row or a value of one."""
    waiting: list[tuple[Any, int]] = [(row, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise _too_deep()
        if isinstance(value, str):
            _check_text(value)
        elif isinstance(value, dict):
            waiting.extend((child, depth + 1) for pair in value.items() for child in pair)
        elif isinstance(value, list):
            waiting.extend((child, depth + 1) for child in value)


def _check_text(text: str) -> None:
    if _SURROGATE.search(text):
        raise reject("lone_surrogate", f'half of a surrogate pair stands alone in "{_shown(text)}"')


def _too_deep() -> RejectedRowError:
    return reject("too_deep", f"the JSON is nested more than {MAX_DEPTH} levels deep")


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", list: "an array", str: "a text", int: "a number", float: "a number"}
    return names[type(value)]


def _shown(text: str) -> str:
    """Shorten a text for a message, with lone surrogates made visible."""
    return text[:40].encode("utf-8", "backslashreplace").decode("utf-8")
