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
    # A placeholder without quotes is no YAML.
    quoted = _BARE.sub(r"\1'\2'", document["data"][FILE])
    return {leaf.path: leaf.literal for leaf in leaves(yaml_documents.load(quoted))}


def _with(tree: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    first, *rest = path
    return {**tree, first: _with(tree.get(first) or {}, tuple(rest), value) if rest else value}
