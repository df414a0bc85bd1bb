"""`--set KEY=VALUE`, as several commands take it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import yaml

from lambda_handlers.recipes import documents
from nova_constructs.cli.errors import BadInputError


def parse_settings(settings: Iterable[str], *, example: str) -> dict[str, Any]:
    """Parse `KEY=VALUE` pairs, values as YAML.

    Raises BadInputError for what is no pair, a key given twice, or a value that is not one YAML value.
    """
    found: dict[str, Any] = {}
    for setting in settings:
        key, separator, value = setting.partition("=")
        key = key.strip()
        if not separator or not key:
            raise BadInputError(
                "--set needs a key and a value", received=setting, allowed="KEY=VALUE", do=f"try --set {example}"
            )
        if key in found:
            raise BadInputError(f"--set gives {key} twice", received=setting, do="keep one of the two")
        found[key] = _value(value)
    return found


def _value(text: str) -> Any:
    """Return what a text means in YAML: a number, a boolean, null, text, or a list of these."""
    try:
        value = documents.load(text)
    except yaml.YAMLError:
        value = {}
    if not _fits(value):
        raise BadInputError(
            "--set takes one YAML value",
            received=text,
            allowed="a finite number, true, false, null, text or a list",
            do="put text with special characters in YAML quotes: --set 'name=\"a: b\"'",
        )
    return value


def _fits(value: Any) -> bool:
    """Return whether a value is a scalar, or a list of scalars, that JSON knows too."""
    if isinstance(value, list):
        return all(_fits(each) for each in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int)
