"""Checks of one value against an entry of an override spec: type, enumeration, minimum, maximum."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lambda_handlers.recipes.documents import as_number

Constraint = Mapping[str, Any]

# Keys that templates hold as literals, without an entry in the spec: a literal 0 or 1 does not tell an integer from a
# float. Bounds are those of the evaluation and reinforcement recipes that do describe them.
_KNOWN_LITERALS: Mapping[str, Constraint] = {
    "temperature": {"type": "float", "min": 0.0, "max": 2.0},
    "top_p": {"type": "float", "min": 0.0, "max": 1.0},
    "top_logprobs": {"type": "integer", "min": 0, "max": 20},
    "reasoning_effort": {"enum": [None, "low", "medium", "high"]},
    "ent_coeff": {"type": "float"},
    "loss_scale": {"type": "float"},
}

_ALIASES = {"str": "string", "int": "integer", "bool": "boolean", "number": "float"}
_ARTICLES = {"string": "a string", "integer": "an integer", "boolean": "true or false", "float": "a number"}


class MismatchError(ValueError):
    """Say why a value cannot stand where it was put."""


def of_literal(key: str, literal: Any) -> Constraint:
    """Return the constraint that a literal of a template implies for values put in its place."""
    if key in _KNOWN_LITERALS:
        return _KNOWN_LITERALS[key]
    if isinstance(literal, bool):
        return {"type": "boolean"}
    names: dict[type, str] = {int: "integer", float: "float", str: "string", list: "list", dict: "mapping"}
    kind = names.get(type(literal))
    return {"type": kind} if kind else {}


def conform(value: Any, constraint: Constraint) -> Any:
    """Return the value in the constraint's type.

    An integer is taken for a float and a whole float for an integer; exponent notation in a string ('1e-5', which YAML
    1.1 reads as text) for a float. A boolean is never a number. The spec's own default always conforms.

    Raises:
        MismatchError: The type, the enumeration or a bound is violated.
    """
    if "default" in constraint and type(value) is type(constraint["default"]) and value == constraint["default"]:
        return value
    typed = _typed(value, str(constraint.get("type", "")))
    _check_enumeration(typed, constraint)
    _check_bounds(typed, constraint)
    return typed


def _typed(value: Any, declared: str) -> Any:
    kind = _ALIASES.get(declared, declared)
    if kind == "float":
        return _as_float(value)
    if kind == "integer":
        return _as_integer(value)
    expected: dict[str, type] = {"boolean": bool, "string": str, "list": list, "mapping": dict}
    if kind in expected and not isinstance(value, expected[kind]):
        raise _wrong_type(value, kind)
    return value


def _as_float(value: Any) -> float:
    number = as_number(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise _wrong_type(value, "float")
    try:
        converted = float(number)
    except OverflowError:
        converted = math.inf
    if not math.isfinite(converted):
        raise MismatchError(f"expects a finite number, got {value!r}")
    return converted


def _as_integer(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong_type(value, "integer")
    return value


def _wrong_type(value: Any, kind: str) -> MismatchError:
    return MismatchError(f"expects {_ARTICLES.get(kind, 'a ' + kind)}, got {value!r}")


def _check_enumeration(value: Any, constraint: Constraint) -> None:
    allowed = constraint.get("enum")
    if allowed and not any(type(value) is type(item) and value == item for item in _alike(allowed, value)):
        raise MismatchError(f"{value!r} is not allowed; allowed: {', '.join(str(item) for item in allowed)}")


def _alike(allowed: list[Any], value: Any) -> list[Any]:
    if not isinstance(value, float):
        return allowed
    return [float(item) if type(item) is int else item for item in allowed]


def _check_bounds(value: Any, constraint: Constraint) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    low, high = constraint.get("min"), constraint.get("max")
    if low is not None and value < low:
        raise MismatchError(f"{value} is below the minimum {low}")
    if high is not None and value > high:
        raise MismatchError(f"{value} is above the maximum {high}")
