"""Put the values of a user's own recipe into a template: kept as written, checked where the hub says how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from lambda_handlers.catalog import data_mixing
from lambda_handlers.catalog.lookup import nearest
from lambda_handlers.recipes.filling import Filling, protection
from lambda_handlers.recipes.own_recipe import OwnRecipe
from lambda_handlers.recipes.template import Leaf, Path, leaves, reference

# The run says where its data and its output are, its instances and the functions it calls, whatever file its recipe was
# copied from.
_WHERE: Final = frozenset({"data_s3_path", "output_s3_path", "replicas", "reward_lambda_arn", "lambda_arn"})
_OF_A_RUN: Final = _WHERE | {"model_name_or_path"}
_NOTHING: Final = (None, "", "null")


class _Given(NamedTuple):
    """Hold one value of an own recipe; `known` tells whether the template has a place for it."""

    path: Path
    value: Any
    known: bool

    @property
    def dotted(self) -> str:
        return ".".join(self.path)


def extend(template: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template with the keys that only the own recipe has, at the end of their sections."""
    tree = dict(template)
    for key, value in own.items():
        if key not in template:
            tree[key] = value
        elif _is_section(template[key]) and isinstance(value, Mapping):
            tree[key] = extend(template[key], value)
    return tree


def apply(filling: Filling, template: Mapping[str, Any], own: OwnRecipe) -> tuple[str, ...]:
    """Put an own recipe's values into the leaves of the extended template; return what the user should know.

    What cannot be, such as a recipe for another model, goes to the problems of `filling`.
    """
    by_path = {leaf.path: leaf for leaf in filling.leaves}
    given = list(_aligned(template, own.values))
    warnings: list[str] = []
    for each in given:
        leaf = by_path.get(each.path)
        if leaf is None:
            filling.problems.append(f"{own.source}: {each.dotted} is a section of the recipe, not {each.value!r}.")
        elif not each.known and each.path[0] == data_mixing.SECTION:
            filling.problems.append(f"{own.source}: {each.dotted} cannot be set here: {protection(leaf)}.")
        elif not each.known:
            warnings.append(f"{own.source}: {_unknown(filling, each)}")
            _put(filling, own, each, [leaf])
        elif protection(leaf):
            warnings += _protected(filling, own, each, _fed(filling, leaf, given))
        else:
            _put(filling, own, each, _fed(filling, leaf, given))
    return tuple(warnings)


def _is_section(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value)


def _aligned(template: Mapping[str, Any], own: Mapping[str, Any], above: Path = ()) -> Iterator[_Given]:
    for key, value in own.items():
        path = (*above, key)
        if key not in template:
            yield from (_Given(leaf.path, leaf.literal, False) for leaf in leaves({key: value}, above))
        elif _is_section(template[key]) and isinstance(value, Mapping):
            yield from _aligned(template[key], value, path)
        else:
            yield _Given(path, value, True)


def _put(filling: Filling, own: OwnRecipe, given: _Given, targets: list[Leaf]) -> None:
    if target := reference(given.value):
        for leaf in targets:
            filling.values.pop(leaf.path, None)
            filling.references[leaf.path] = target
    else:
        filling.put(f"{own.source}: {given.dotted}", given.value, targets)


def _fed(filling: Filling, leaf: Leaf, given: list[_Given]) -> list[Leaf]:
    """Return the leaf and, where its key is that of its parameter, the others that this feeds and nobody gives."""
    if leaf.key != leaf.placeholder:
        return [leaf]
    written = {each.path for each in given} - {leaf.path}
    return [other for other in filling.leaves if other.placeholder == leaf.placeholder and other.path not in written]


def _unknown(filling: Filling, given: _Given) -> str:
    elsewhere = {leaf.key: leaf.dotted for leaf in reversed(filling.leaves) if leaf.path not in filling.extra}
    near = nearest(given.path[-1], elsewhere)
    hint = f" Did you mean {elsewhere[near]}?" if near else ""
    return f"{given.dotted} is not a value of the hub's recipe; it is kept as written.{hint}"


def _protected(filling: Filling, own: OwnRecipe, given: _Given, targets: list[Leaf]) -> list[str]:
    """Refuse a recipe that is for something else; let the run say where things are. What says nothing new is passed."""
    [leaf] = [each for each in targets if each.path == given.path]
    default = filling.default(leaf)
    current = filling.values.get(leaf.path, default)
    if any(_same(given.value, each) for each in (current, default, None)):
        return []
    if leaf.key in _WHERE and leaf.path in filling.values:
        return [f"{own.source}: {given.dotted} is {given.value!r}; the run's own value, {current!r}, is used."]
    if leaf.key in _OF_A_RUN and leaf.path not in filling.values:
        _put(filling, own, given, targets)
        return []
    filling.problems.append(
        f"{own.source}: {given.dotted} is {given.value!r} and has to be {current!r}: {protection(leaf)}."
    )
    return []


def _same(value: Any, other: Any) -> bool:
    return bool(value == other) or (value in _NOTHING and other in _NOTHING)
