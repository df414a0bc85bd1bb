"""Fill a recipe template with typed values: overrides before arguments before the spec's defaults before literals."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lambda_handlers.catalog.lookup import nearest
from lambda_handlers.protocol.errors import RecipeInvalid
from lambda_handlers.recipes import constraints, documents
from lambda_handlers.recipes.constraints import Constraint, MismatchError
from lambda_handlers.recipes.template import Leaf, Path, leaves, rebuild

PROTECTED: Mapping[str, str] = {
    "model_type": "it follows from the customization's model",
    "model_name_or_path": "give the run a model_path instead",
    "peft_scheme": "it follows from the customization's method",
    "task": "it is the evaluation task's own",
    "strategy": "it is the evaluation task's own",
    "metric": "it is the evaluation task's own",
    "data_s3_path": "it is the run's prepared dataset",
    "output_s3_path": "it is the run's own",
    "replicas": "change the platform's instance count instead",
}
"""Recipe keys that no override may set, with what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Hold a rendered recipe: its values, the YAML that a job reads, and the SHA-256 of that YAML in hexadecimal."""

    values: Mapping[str, Any]
    yaml_text: str
    sha256: str


@dataclass(slots=True)
class _Filling:
    """Collect the values of one template, and every problem met on the way."""

    leaves: tuple[Leaf, ...]
    spec: Mapping[str, Constraint]
    values: dict[Path, Any] = field(default_factory=dict)
    embedded: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def targets(self, name: str) -> list[Leaf]:
        """Return the leaves that a name means: a placeholder's, else those of that key, else of that dotted ending."""
        fed = [leaf for leaf in self.leaves if leaf.placeholder == name]
        if fed:
            return fed
        ending = tuple(name.split("."))
        return [leaf for leaf in self.leaves if leaf.path[-len(ending) :] == ending]

    def is_embedded(self, name: str) -> bool:
        """Return whether a longer text of the template has the placeholder in it."""
        return any(name in leaf.embedded for leaf in self.leaves)

    def names(self) -> list[str]:
        """Return every name that an override may use, the recipe's own keys first."""
        known = [leaf.key for leaf in self.leaves]
        known += [leaf.placeholder for leaf in self.leaves if leaf.placeholder]
        known += [name for leaf in self.leaves for name in leaf.embedded]
        return [name for name in dict.fromkeys(known) if name not in PROTECTED]

    def constraint(self, leaf: Leaf) -> Constraint:
        """Return what values of a leaf must satisfy: the spec's entry, or what the literal there implies."""
        if leaf.placeholder:
            return self.spec.get(leaf.placeholder, {})
        if leaf.reference:
            referred = [other for other in self.leaves if other.path == leaf.reference and not other.reference]
            return self.constraint(referred[0]) if referred else {}
        return self.spec.get(leaf.key) or constraints.of_literal(leaf.key, leaf.literal)

    def put(self, name: str, value: Any, targets: list[Leaf]) -> None:
        """Set the leaves that `name` means to `value`, or note why that cannot be."""
        try:
            if self.is_embedded(name):
                self.embedded[name] = constraints.conform(value, self.spec.get(name, {}))
            for leaf in targets:
                self.values[leaf.path] = constraints.conform(value, self.constraint(leaf))
        except MismatchError as mismatch:
            self.problems.append(f"{name}: {mismatch}.")


def render(
    template: Mapping[str, Any],
    spec: Mapping[str, Constraint],
    arguments: Mapping[str, Any],
    overrides: Mapping[str, Any],
) -> Recipe:
    """Return the recipe that a template gives.

    `arguments` come from the workflow; those that the template has no place for, and those that are None, are left out.
    `overrides` come from the user, by the recipe's own key (`lr`), by the placeholder's name (`learning_rate`), or by a
    dotted path where a key occurs more than once. Structure, and values that nobody set, stay as the template has them.

    Raises:
        RecipeInvalid: With every problem: unknown or protected overrides, wrong types, values outside the bounds of the
            spec, placeholders without a value.
    """
    filling = _Filling(leaves=tuple(leaves(template)), spec=spec)
    for name, value in arguments.items():
        if value is not None:
            filling.put(name, value, _argument_targets(filling, name))
    _apply_overrides(filling, overrides)
    values = rebuild(template, _finish(filling).__getitem__)
    if filling.problems:
        raise RecipeInvalid("The recipe cannot be used.", problems=filling.problems)
    text = documents.dump(values)
    return Recipe(values=values, yaml_text=text, sha256=hashlib.sha256(text.encode()).hexdigest())


def _argument_targets(filling: _Filling, name: str) -> list[Leaf]:
    found = filling.targets(name)
    if _one_place(found, name):
        return found
    return [leaf for leaf in found if leaf.path[0] == "run"]  # `name` is also the key of an optimizer


def _one_place(found: list[Leaf], name: str) -> bool:
    return len(found) == 1 or bool(found and found[0].placeholder == name)


def _apply_overrides(filling: _Filling, overrides: Mapping[str, Any]) -> None:
    accepted = [name for name in overrides if _is_settable(filling, name)]
    # A placeholder may feed several keys (max_steps and save_steps): the key that names one of them is the closer word.
    accepted.sort(key=lambda name: not any(leaf.placeholder == name for leaf in filling.leaves))
    by_leaf: dict[Path, str] = {}
    for name in accepted:
        filling.put(name, overrides[name], filling.targets(name))
        for leaf in filling.targets(name):
            other = by_leaf.setdefault(leaf.path, name)
            _note_clash(filling, leaf, (other, name), overrides)


def _note_clash(filling: _Filling, leaf: Leaf, names: tuple[str, str], overrides: Mapping[str, Any]) -> None:
    first, second = names
    feeds_others = len(filling.targets(first)) > len(filling.targets(second))
    if first != second and overrides[first] != overrides[second] and not feeds_others:
        filling.problems.append(f"{first} and {second} both set {leaf.dotted}, to different values; give one.")


def _is_settable(filling: _Filling, name: str) -> bool:
    found = filling.targets(name)
    protected = [leaf.key for leaf in found if leaf.key in PROTECTED] or [key for key in (name,) if key in PROTECTED]
    if protected:
        filling.problems.append(f"{name} cannot be overridden: {PROTECTED[protected[0]]}.")
    elif not found and not filling.is_embedded(name):
        filling.problems.append(_unknown(filling, name))
    elif not filling.is_embedded(name) and not _one_place(found, name):
        places = ", ".join(leaf.dotted for leaf in found)
        filling.problems.append(f"{name} names several values; use one of {places}.")
    else:
        return True
    return False


def _unknown(filling: _Filling, name: str) -> str:
    near = nearest(name, filling.names())
    hint = f" Did you mean {near}?" if near else f" The recipe has: {', '.join(filling.names())}."
    return f"{name} is not a value of this recipe.{hint}"


def _finish(filling: _Filling) -> dict[Path, Any]:
    own = {leaf.path: _value(filling, leaf) for leaf in filling.leaves}
    references = {leaf.path: leaf.reference for leaf in filling.leaves if leaf.reference}
    unset = {path: target for path, target in references.items() if path not in filling.values}
    for path in unset:
        end = _follow(path, unset)
        if end not in own or end in unset:
            filling.problems.append(f"{'.'.join(path)} refers to {'.'.join(unset[path])}, which has no value.")
        else:
            own[path] = own[end]
    return own


def _follow(path: Path, references: Mapping[Path, Path]) -> Path:
    """Return where a chain of references ends; in a circle, some path of it."""
    for _ in references:
        path = references.get(path, path)
    return path


def _value(filling: _Filling, leaf: Leaf) -> Any:
    if leaf.path in filling.values:
        return filling.values[leaf.path]
    if leaf.embedded:
        return leaf.fill({name: _default(filling, leaf, name) for name in leaf.embedded} | filling.embedded)
    return _default(filling, leaf, leaf.placeholder) if leaf.placeholder else leaf.literal


def _default(filling: _Filling, leaf: Leaf, name: str) -> Any:
    entry = filling.spec.get(name, {})
    if "default" not in entry and name not in filling.embedded:
        filling.problems.append(f"{name} has no value and no default; {leaf.dotted} needs it.")
    return entry.get("default")
