"""The recipes inside a payload: the file that each container reads, as its own ConfigMap has it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lambda_handlers.recipes import documents as yaml_documents
from lambda_handlers.recipes.template import Leaf, Path, leaves

FILE: Final = "config.yaml"
_BARE: Final = re.compile(r"^( *[\w.\-]+: +)(\{\{[^{}]*\}\})[ \t]*$", re.MULTILINE)


def own_values(documents: Sequence[Mapping[str, Any]]) -> dict[str, dict[Path, Any]]:
    """Return, by ConfigMap, what its recipe has that those of the others do not: which part of the job reads it."""
    trees = {str(each["metadata"]["name"]): _leaves(each) for each in documents if _has_config(each)}
    common = {
        path
        for path in {path for tree in trees.values() for path in tree}
        if all(path in tree and tree[path] == next(iter(trees.values()))[path] for tree in trees.values())
    }
    return {name: {path: value for path, value in tree.items() if path not in common} for name, tree in trees.items()}


def of_training(documents: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the recipe that the training reads, as text, without what the other parts of the job find different.

    None for a payload without one.
    """
    found = [each for each in documents if _has_config(each) and "training-config" in each["metadata"]["name"]]
    if not found:
        return None
    own = own_values(documents)[str(found[0]["metadata"]["name"])]
    if not own:
        return _quoted(found[0])
    tree = yaml_documents.load(_quoted(found[0]))
    return yaml_documents.dump(_without(tree, frozenset(own)))


def text(document: Mapping[str, Any], recipe: Mapping[str, Any], own: Mapping[str, Mapping[Path, Any]]) -> str | None:
    """Return the recipe that a ConfigMap is to have, as YAML; None for an object that has none."""
    if not _has_config(document):
        return None
    values = dict(recipe)
    for path, value in own[str(document["metadata"]["name"])].items():
        values = _with(values, path, value)
    return yaml_documents.dump(values)


def placeholder_values(documents: Sequence[Mapping[str, Any]], recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the placeholders of a payload's recipes stand for, as the rendered recipe has it in their places."""
    rendered = {leaf.path: leaf.literal for leaf in leaves(recipe)}
    found: dict[str, Any] = {}
    for each in documents:
        if _has_config(each):
            for path, literal in _leaves(each).items():
                name = Leaf(path=path, literal=literal).placeholder
                if name and rendered.get(path) is not None:
                    found[name] = rendered[path]
    return found


def _has_config(document: Mapping[str, Any]) -> bool:
    return document.get("kind") == "ConfigMap" and FILE in (document.get("data") or {})


def _leaves(document: Mapping[str, Any]) -> dict[Path, Any]:
    return {leaf.path: leaf.literal for leaf in leaves(yaml_documents.load(_quoted(document)))}


def _quoted(document: Mapping[str, Any]) -> str:
    # A placeholder without quotes is no YAML.
    return _BARE.sub(r"\1'\2'", document["data"][FILE])


def _without(tree: Mapping[str, Any], paths: frozenset[Path], above: Path = ()) -> dict[str, Any]:
    kept = {key: value for key, value in tree.items() if (*above, key) not in paths}
    return {
        key: _without(value, paths, (*above, key)) if isinstance(value, Mapping) and value else value
        for key, value in kept.items()
    }


def _with(tree: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    first, *rest = path
    return {**tree, first: _with(tree.get(first) or {}, tuple(rest), value) if rest else value}
