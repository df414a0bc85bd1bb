"""Render a recipe: overrides before the own recipe before arguments before the spec's defaults before literals."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_handlers.catalog.lookup import nearest
from lambda_handlers.protocol.errors import RecipeInvalid
from lambda_handlers.recipes import documents, own_values
from lambda_handlers.recipes.constraints import Constraint
from lambda_handlers.recipes.filling import PROTECTED, Filling, is_one_place, protection
from lambda_handlers.recipes.own_recipe import OwnRecipe
from lambda_handlers.recipes.template import Leaf, Path, leaves, rebuild, unfilled


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Hold a rendered recipe: its values, the YAML that a job reads, and the SHA-256 of that YAML in hexadecimal.

    `warnings` say what of an own recipe the hub does not know, or the run overrules; one sentence each.
    """

    values: Mapping[str, Any]
    yaml_text: str
    sha256: str
    warnings: tuple[str, ...] = ()


def render(
    template: Mapping[str, Any],
    spec: Mapping[str, Constraint],
    arguments: Mapping[str, Any],
    overrides: Mapping[str, Any],
    own: OwnRecipe | None = None,
) -> Recipe:
    """Return the recipe that a template gives.

    `arguments` come from the workflow; those that the template has no place for, and those that are None, are left out.
    `own` is a recipe of the user's own: honoured as written, with the keys that the template lacks, and checked against
    the spec. `overrides` come from the user, by the recipe's own key (`lr`), by the placeholder's name
    (`learning_rate`), or by a dotted path where a key occurs more than once. Structure, and values that nobody set,
    stay as the template has them.

    Raises:
        RecipeInvalid: With every problem: unknown or protected overrides, wrong types, values outside the bounds of the
            spec, placeholders without a value, an own recipe for another model, method or task.
    """
    tree = own_values.extend(template, own.values) if own else template
    filling = Filling(leaves=tuple(leaves(tree)), spec=spec, extra=_extra(template, tree))
    for name, value in arguments.items():
        if value is not None:
            filling.put(name, value, filling.argument_targets(name))
    warnings = own_values.apply(filling, template, own) if own else ()
    _apply_overrides(filling, overrides)
    values = rebuild(tree, filling.finish().__getitem__)
    filling.problems += _unfilled(values)
    if filling.problems:
        raise RecipeInvalid("The recipe cannot be used.", problems=filling.problems)
    text = documents.dump(values)
    return Recipe(values=values, yaml_text=text, sha256=hashlib.sha256(text.encode()).hexdigest(), warnings=warnings)


def _unfilled(values: Mapping[str, Any]) -> list[str]:
    found = ((leaf.dotted, unfilled(leaf.literal)) for leaf in leaves(values))
    return [f"{where} has the placeholder {what}, which nothing fills." for where, what in found if what]


def _extra(template: Mapping[str, Any], tree: Mapping[str, Any]) -> frozenset[Path]:
    return frozenset(leaf.path for leaf in leaves(tree)) - {leaf.path for leaf in leaves(template)}


def _apply_overrides(filling: Filling, overrides: Mapping[str, Any]) -> None:
    accepted = [name for name in overrides if _is_settable(filling, name)]
    # A placeholder may feed several keys (max_steps and save_steps): the key that names one of them is the closer word.
    accepted.sort(key=lambda name: not any(leaf.placeholder == name for leaf in filling.leaves))
    by_leaf: dict[Path, str] = {}
    for name in accepted:
        filling.put(name, overrides[name], filling.targets(name))
        for leaf in filling.targets(name):
            other = by_leaf.setdefault(leaf.path, name)
            _note_clash(filling, leaf, (other, name), overrides)


def _note_clash(filling: Filling, leaf: Leaf, names: tuple[str, str], overrides: Mapping[str, Any]) -> None:
    first, second = names
    feeds_others = len(filling.targets(first)) > len(filling.targets(second))
    if first != second and overrides[first] != overrides[second] and not feeds_others:
        filling.problems.append(f"{first} and {second} both set {leaf.dotted}, to different values; give one.")


def _is_settable(filling: Filling, name: str) -> bool:
    found = filling.targets(name)
    protected = [why for why in (*map(protection, found), PROTECTED.get(name)) if why]
    if protected:
        filling.problems.append(f"{name} cannot be overridden: {protected[0]}.")
    elif not found and not filling.is_embedded(name):
        filling.problems.append(_unknown(filling, name))
    elif not filling.is_embedded(name) and not is_one_place(found, name):
        places = ", ".join(leaf.dotted for leaf in found)
        filling.problems.append(f"{name} names several values; use one of {places}.")
    else:
        return True
    return False


def _unknown(filling: Filling, name: str) -> str:
    near = nearest(name, filling.names())
    hint = f" Did you mean {near}?" if near else f" The recipe has: {', '.join(filling.names())}."
    return f"{name} is not a value of this recipe.{hint}"
