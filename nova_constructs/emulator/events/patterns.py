"""Event patterns of EventBridge; a matcher that is not known is an error, never a mismatch."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_MISSING = object()
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}


class UnknownMatcherError(ValueError):
    """A pattern uses a matcher that the emulator does not know."""


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Tell whether an event has every field of the pattern with one of its values."""
    for name, wanted in pattern.items():
        if name == "$or":
            if not any(matches(choice, event) for choice in wanted):
                return False
        elif not _field_matches(wanted, event.get(name, _MISSING) if isinstance(event, Mapping) else _MISSING):
            return False
    return True


def _field_matches(wanted: Any, given: Any) -> bool:
    if isinstance(wanted, Mapping):
        return matches(wanted, given if isinstance(given, Mapping) else {})
    values = given if isinstance(given, list) else [given]
    return any(_matches_one(matcher, value) for matcher in wanted for value in values)


def _matches_one(matcher: Any, value: Any) -> bool:
    if not isinstance(matcher, Mapping):
        return value is not _MISSING and matcher == value and isinstance(matcher, bool) == isinstance(value, bool)
    ((kind, argument),) = matcher.items()
    if kind == "exists":
        return bool(argument) == (value is not _MISSING)
    if value is _MISSING:
        return False
    return _matcher(kind)(argument, value)


def _matcher(kind: str) -> Callable[[Any, Any], bool]:
    try:
        return _MATCHERS[kind]
    except KeyError:
        raise UnknownMatcherError(f"the emulator does not know the event pattern matcher {kind!r}") from None


def _text(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    return lambda argument, value: isinstance(value, str) and test(argument, value)


def _edge(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def match(argument: Any, value: Any) -> bool:
        if isinstance(argument, Mapping):
            return isinstance(value, str) and test(value.lower(), argument["equals-ignore-case"].lower())
        return isinstance(value, str) and test(value, argument)

    return match


def _wildcard(argument: str, value: str) -> bool:
    pattern = "".join(".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", argument))
    return re.fullmatch(pattern, value, re.DOTALL) is not None


def _anything_but(argument: Any, value: Any) -> bool:
    if isinstance(argument, Mapping):
        ((kind, inner),) = argument.items()
        choices: Sequence[Any] = inner if isinstance(inner, list) else [inner]
        return not any(_matcher(kind)(choice, value) for choice in choices)
    return value not in (argument if isinstance(argument, list) else [argument])


def _numeric(argument: Sequence[Any], value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    pairs = zip(argument[::2], argument[1::2], strict=True)
    return all(_COMPARISONS[sign](value, limit) for sign, limit in pairs)


_MATCHERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "prefix": _edge(str.startswith),
    "suffix": _edge(str.endswith),
    "equals-ignore-case": _text(lambda argument, value: argument.lower() == value.lower()),
    "wildcard": _text(_wildcard),
    "anything-but": _anything_but,
    "numeric": _numeric,
}
