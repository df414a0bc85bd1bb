"""The values of one template while it is being filled, and every problem met on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lambda_handlers.catalog import data_mixing
from lambda_handlers.recipes import constraints
from lambda_handlers.recipes.constraints import Constraint, MismatchError
from lambda_handlers.recipes.template import Leaf, Path

PROTECTED: Mapping[str, str] = {
    "model_type": "it follows from the customization's model",
    "model_name_or_path": "give the run a model_path instead",
    "peft_scheme": "it follows from the customization's method",
    "task": "it is the evaluation task's own",
    "strategy": "it is the evaluation task's own",
    "metric": "it is the evaluation task's own",
    "data_s3_path": "it is the run's prepared dataset",
    "output_s3_path": "it is the run's own",
    "reward_lambda_arn": "it is the customization's reward_function, the only one that the jobs' role may call",
    "lambda_arn": "it is the customization's function, the only one that the jobs' role may call",
    "mlflow_tracking_uri": "it is the platform's mlflow",
    "replicas": "change the platform's instance count instead",
    data_mixing.SECTION: "it is the platform's data_mixing",
}
"""Recipe keys, and a section, that no override may set, with what to do instead."""


def protection(leaf: Leaf) -> str | None:
    """Return why a leaf may not be set, or None where it may."""
    return PROTECTED.get(leaf.key) or (PROTECTED[leaf.path[0]] if leaf.path[0] == data_mixing.SECTION else None)


@dataclass(slots=True)
class Filling:
    """Collect the values of one template, and every problem met on the way.

    `extra` are the paths that an own recipe adds to those of the template, `references` the leaves that it makes
    follow another one.
    """

    leaves: tuple[Leaf, ...]
    spec: Mapping[str, Constraint]
    extra: frozenset[Path] = frozenset()
    references: dict[Path, Path] = field(default_factory=dict)
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

    def argument_targets(self, name: str) -> list[Leaf]:
        """Return the leaves of the template that an argument of the workflow sets."""
        found = [leaf for leaf in self.targets(name) if leaf.path not in self.extra]
        if is_one_place(found, name):
            return found
        return [leaf for leaf in found if leaf.path[0] == "run"]  # `name` is also the key of an optimizer

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

    def finish(self) -> dict[Path, Any]:
        """Return the value of every leaf: the one put there, else the one referred to, else default or literal."""
        references = {leaf.path: leaf.reference for leaf in self.leaves if leaf.reference} | self.references
        unset = {path: target for path, target in references.items() if path not in self.values}
        found = {leaf.path: None if leaf.path in unset else self._value(leaf) for leaf in self.leaves}
        for path, target in unset.items():
            end = _follow(path, unset)
            if end not in found or end in unset:
                self.problems.append(f"{'.'.join(path)} refers to {'.'.join(target)}, which has no value.")
            else:
                found[path] = self._referred(path, found[end])
        return found

    def default(self, leaf: Leaf) -> Any:
        """Return what a leaf is where nobody sets it, or None where the template does not say."""
        return self.spec.get(leaf.placeholder, {}).get("default") if leaf.placeholder else leaf.literal

    def _referred(self, path: Path, value: Any) -> Any:
        """Return a value in the type of the leaf that an own recipe makes follow it; the hub's references are right."""
        if path not in self.references:
            return value
        (leaf,) = [each for each in self.leaves if each.path == path]
        try:
            return constraints.conform(value, self.constraint(leaf))
        except MismatchError as mismatch:
            self.problems.append(f"{leaf.dotted}: {mismatch}.")
            return value

    def _value(self, leaf: Leaf) -> Any:
        if leaf.path in self.values:
            return self.values[leaf.path]
        if leaf.embedded:
            return leaf.fill({name: self._required(leaf, name) for name in leaf.embedded} | self.embedded)
        return self._required(leaf, leaf.placeholder) if leaf.placeholder else leaf.literal

    def _required(self, leaf: Leaf, name: str) -> Any:
        entry = self.spec.get(name, {})
        if "default" not in entry and name not in self.embedded:
            self.problems.append(f"{name} has no value and no default; {leaf.dotted} needs it.")
        return entry.get("default")


def is_one_place(found: list[Leaf], name: str) -> bool:
    """Return whether the leaves that a name means can only be meant together."""
    return len(found) == 1 or bool(found and found[0].placeholder == name)


def _follow(path: Path, references: Mapping[Path, Path]) -> Path:
    """Return where a chain of references ends; in a circle, some path of it."""
    for _ in references:
        path = references.get(path, path)
    return path
