"""Label selectors: the text of a request's `labelSelector`, and those inside objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nova_constructs.emulator.kubernetes.status import StatusError

Matches = Callable[[Mapping[str, str]], bool]
_SET = re.compile(r"(?P<key>\S+)\s+(?P<operator>in|notin)\s+\((?P<values>[^()]*)\)")
_EQUALITY = re.compile(r"(?P<key>[^=!,\s]+)\s*(?P<operator>==?|!=)\s*(?P<value>[^=!,\s]*)")
_EXISTS = re.compile(r"(?P<not>!?)\s*(?P<key>[^=!,\s()]+)")


def parse(text: str) -> Matches:
    """Read `a=b,c in (d, e),!f`; raises StatusError 400 for what is no selector."""
    parts = [part.strip() for part in re.split(r",(?![^(]*\))", text) if part.strip()]
    checks = [_part(part) for part in parts]
    return lambda labels: all(check(labels) for check in checks)


def of_object(selector: Mapping[str, Any]) -> Matches:
    """Read a selector with matchLabels and matchExpressions."""
    checks = [_one(key, "In", [value]) for key, value in (selector.get("matchLabels") or {}).items()]
    checks += [
        _one(each["key"], each["operator"], each.get("values") or []) for each in selector.get("matchExpressions") or []
    ]
    return lambda labels: all(check(labels) for check in checks)


def _part(part: str) -> Matches:
    if found := _SET.fullmatch(part):
        values = [value.strip() for value in found["values"].split(",")]
        return _one(found["key"], "In" if found["operator"] == "in" else "NotIn", values)
    if found := _EQUALITY.fullmatch(part):
        return _one(found["key"], "NotIn" if found["operator"] == "!=" else "In", [found["value"]])
    if found := _EXISTS.fullmatch(part):
        return _one(found["key"], "DoesNotExist" if found["not"] else "Exists", [])
    raise StatusError(400, f"unable to parse requirement: found '{part}', expected: identifier, '!', 'in', 'notin'")


def _one(key: str, operator: str, values: Sequence[str]) -> Matches:
    match operator:
        case "In":
            return lambda labels: labels.get(key) in values
        case "NotIn":
            return lambda labels: labels.get(key) not in values
        case "Exists":
            return lambda labels: key in labels
        case "DoesNotExist":
            return lambda labels: key not in labels
    raise StatusError(400, f'"{operator}" is not a valid label selector operator')
