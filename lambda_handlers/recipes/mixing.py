"""Data mixing in a recipe: the platform's percentages as arguments of the hub's recipe, typed and never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_handlers.catalog import data_mixing
from lambda_handlers.catalog.lookup import nearest
from lambda_handlers.protocol.errors import RecipeInvalid
from lambda_handlers.recipes.constraints import Constraint

Spec = Mapping[str, Constraint]


def mixing_arguments(spec: Spec, settings: Mapping[str, Any]) -> dict[str, float]:
    """Return the arguments of a recipe that mixes data; a category that the settings do not name gets 0 percent.

    `settings` are `customer_data_percent` and `nova`, percentages by category; the recipe's `dataset_catalog` stays.

    Raises RecipeInvalid with every problem: percentages that do not add up, a category that the recipe has not.
    """
    known, asked = data_mixing.categories(spec), settings["nova"]
    found = list(data_mixing.problems(settings[data_mixing.CUSTOMER], asked))
    found += [_unknown(name, known) for name in asked if name not in known]
    if data_mixing.CUSTOMER not in spec or not known:
        found = [f"data_mixing: the hub's recipe has no percentages to set; it has: {', '.join(spec) or 'none'}"]
    if found:
        raise RecipeInvalid("Data cannot be mixed.", problems=found)
    shares = {data_mixing.parameter(name): float(asked.get(name, 0)) for name in known}
    return {data_mixing.CUSTOMER: float(settings[data_mixing.CUSTOMER]), **shares}


def typed(spec: Spec) -> dict[str, Constraint]:
    """Return a spec whose percentages are floats, as the container reads them, whatever the hub declares."""
    percentages = {data_mixing.CUSTOMER, *map(data_mixing.parameter, data_mixing.categories(spec))}
    return {name: {**entry, "type": "float"} if name in percentages else entry for name, entry in spec.items()}


def check_mixed(recipe: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Raise RecipeInvalid where a rendered recipe does not mix as the settings say: nothing trains without it."""
    section = recipe.get(data_mixing.SECTION)
    sources = section.get("sources") if isinstance(section, Mapping) else None
    customer = ((sources or {}).get("customer_data") or {}).get("percent")
    nova = {name: share for name, share in ((sources or {}).get("nova_data") or {}).items() if share}
    wanted = {name: float(share) for name, share in settings["nova"].items() if share}
    if (customer, nova) != (float(settings[data_mixing.CUSTOMER]), wanted):
        raise RecipeInvalid(
            "Data cannot be mixed.",
            problems=[f"data_mixing: the hub's recipe has no place for what was asked; it would train on {sources}"],
        )


def _unknown(name: str, known: list[str]) -> str:
    near = nearest(name, known)
    hint = f"did you mean {near}? It has" if near else "it has"
    return f"data_mixing.nova names {name!r}, which the recipe does not mix; {hint}: {', '.join(known) or 'none'}"
