"""`--set KEY=VALUE`, as several commands take it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from nova_constructs.cli.errors import BadInputError


def parse_settings(settings: Iterable[str], read: Callable[[str], Any], *, example: str) -> dict[str, Any]:
    """Parse `KEY=VALUE` pairs, values by `read`; raise BadInputError for what is no pair or a key given twice."""
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
        found[key] = read(value)
    return found
