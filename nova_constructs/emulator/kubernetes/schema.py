"""Check objects field by field against the table of types, and drop what the server would drop."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

_LEAVES = {"text": "string", "int": "integer", "bool": "boolean", "number": "number", "time": "string"}
_QUANTITY = re.compile(
    r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistyped:
    """A value of the wrong type: where it is, what it is and the type that it should have."""

    path: str
    value: Any
    wanted: str


@dataclass(slots=True, kw_only=True)
class Findings:
    """What a check has found, and the object without unknown fields and nulls."""

    body: Any = None
    unknown: list[str] = field(default_factory=list)
    mistyped: list[Mistyped] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def check(body: Any, type_name: str) -> Findings:
    """Check an object against a type of the table."""
    findings = Findings()
    findings.body = _object(body, type_name, "", findings)
    return findings


def canonical(value: Any, wanted: str) -> Any:
    """Write quantities as texts, as the server does in objects of built-in kinds (8 becomes "8")."""
    if wanted == "quantity":
        return str(value)
    if wanted.startswith("[") and isinstance(value, list):
        return [canonical(item, wanted[1:-1]) for item in value]
    if wanted.startswith("{") and isinstance(value, dict):
        return {key: canonical(item, wanted[1:-1]) for key, item in value.items()}
    if wanted in _table() and isinstance(value, dict):
        fields = _table()[wanted]
        return {name: canonical(item, fields[name][0]) for name, item in value.items()}
    return value


def quantity(value: Any) -> float | None:
    """Read a quantity such as 1600Gi, 500m or 8; None if it is none."""
    text = str(value)
    if isinstance(value, bool) or not _QUANTITY.fullmatch(text):
        return None
    digits = re.match(r"[+-]?[0-9.]+", text)
    number, suffix = float(digits.group(0)) if digits else 0.0, text[digits.end() :] if digits else ""
    if re.match(r"[eE][+-]?[0-9.]", suffix):
        return float(number * 10.0 ** float(suffix[1:]))
    if suffix.endswith("i"):
        return number * 1024.0 ** ("KMGTPE".index(suffix[0]) + 1)
    powers = {"": 0, "n": -3, "u": -2, "m": -1, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
    return float(number * 1000.0 ** powers[suffix])


@cache
def _table() -> dict[str, dict[str, tuple[str, bool]]]:
    """Read the table: type → field → (type of the field, required)."""
    table: dict[str, dict[str, tuple[str, bool]]] = {}
    fields: dict[str, tuple[str, bool]] = {}
    for line in (resources.files(__package__) / "types.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        if not line.startswith(" "):
            fields = table[line.strip()] = {}
            continue
        for word in line.split():
            name, _, wanted = word.partition(":")
            fields[name.removesuffix("!")] = (wanted, name.endswith("!"))
    return table


def _object(value: Any, type_name: str, path: str, findings: Findings) -> Any:
    if not isinstance(value, dict):
        findings.mistyped.append(Mistyped(path=path, value=value, wanted="object"))
        return value
    fields, kept = _table()[type_name], {}
    for name, item in value.items():
        place = f"{path}.{name}" if path else name
        if name not in fields:
            findings.unknown.append(place)
        elif item is not None:
            kept[name] = _value(item, fields[name][0], place, findings)
    absent = [name for name, (_, required) in fields.items() if required and name not in kept]
    findings.missing += [f"{path}.{name}" if path else name for name in absent]
    return kept


def _value(value: Any, wanted: str, path: str, findings: Findings) -> Any:
    if wanted.startswith("["):
        if isinstance(value, list):
            return [_value(item, wanted[1:-1], f"{path}[{place}]", findings) for place, item in enumerate(value)]
        findings.mistyped.append(Mistyped(path=path, value=value, wanted="array"))
    elif wanted.startswith("{"):
        if isinstance(value, dict):
            return {key: _entry(item, wanted[1:-1], f"{path}.{key}", findings) for key, item in value.items()}
        findings.mistyped.append(Mistyped(path=path, value=value, wanted="object"))
    elif wanted in _table():
        return _object(value, wanted, path, findings)
    elif not _is(value, wanted):
        findings.mistyped.append(Mistyped(path=path, value=value, wanted=_LEAVES.get(wanted, wanted)))
    return value


def _entry(item: Any, wanted: str, path: str, findings: Findings) -> Any:
    """Check an entry of a map; a null text is an empty one, as the server's decoder has it."""
    return "" if item is None and wanted == "text" else _value(item, wanted, path, findings)


def _is(value: Any, wanted: str) -> bool:
    match wanted:
        case "any":
            return True
        case "text" | "time":
            return isinstance(value, str)
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "port":
            return isinstance(value, (int, str)) and not isinstance(value, bool)
        case "quantity":
            return quantity(value) is not None
        case "base64":
            return isinstance(value, str) and _is_base64(value)
    raise ValueError(f"the table of types has the unknown type {wanted}")


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return True


def shown(value: Any) -> str:
    """Show a value as messages do."""
    return json.dumps(value)
