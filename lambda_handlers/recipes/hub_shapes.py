"""What the hub's documents have to look like before anything is read out of them: a broken one is told as such."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lambda_handlers.recipes.constraints import Constraint

_TEXTS: Final = ("Name", "DisplayName", "Type", "CustomizationTechnique", "SmtjImageUri")
_PLACES: Final = (
    *("SmtjRecipeTemplateS3Uri", "SmtjOverrideParamsS3Uri"),
    *("HpEksPayloadTemplateS3Uri", "HpEksOverrideParamsS3Uri"),
)


def entry_problems(entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield what members of a hub document's RecipeCollection entry are not of the type that they are read as."""
    what = f"recipe {entry.get('Name')!r}"
    for key in (*_TEXTS, *_PLACES):
        if entry.get(key) is not None and not isinstance(entry[key], str):
            yield f"{what} has {key} {entry[key]!r}, which is not text."
    types = entry.get("SupportedInstanceTypes")
    if types is not None and not (isinstance(types, list) and all(isinstance(each, str) for each in types)):
        yield f"{what} has SupportedInstanceTypes {types!r}, which is not a list of names."


def spec_problems(spec: Mapping[str, Constraint]) -> Iterator[str]:
    """Yield what entries of an override spec cannot be checked against."""
    for name, entry in spec.items():
        if not isinstance(entry.get("type", ""), str):
            yield f"{name} has the type {entry['type']!r}, which is not a name."
        if not isinstance(entry.get("enum") or [], list):
            yield f"{name} has the enum {entry['enum']!r}, which is not a list."
        for key in ("min", "max"):
            if entry.get(key) is not None and not _is_number(entry[key]):
                yield f"{name} has the {key} {entry[key]!r}, which is not a number."


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
