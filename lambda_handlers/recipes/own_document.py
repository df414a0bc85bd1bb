"""The YAML of a recipe of the user's own, read without trust: size, anchors, duplicate keys, types."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from lambda_handlers.protocol.errors import RecipeInvalid
from lambda_handlers.recipes import documents

MAX_BYTES: Final = 65_536
"""The greatest recipe that is read; those of the public hub are 1 to 4 KB."""
MAX_VALUES: Final = 10_000
"""How many values a document may have once its anchors are written out."""
MAX_DEPTH: Final = 40

_MERGE: Final = "tag:yaml.org,2002:merge"


def read(content: bytes, source: str, *, unique_keys: bool = True) -> dict[str, Any]:
    """Return the mapping that a YAML document is; `source` is its name in messages.

    Raises:
        RecipeInvalid: It is too large, not UTF-8, not one YAML document, not a mapping, has anchors that would not end
            or grow beyond all bounds, or (with `unique_keys`) a key twice in one section.
    """
    if len(content) > MAX_BYTES:
        raise too_large(source)
    try:
        node = yaml.compose(content.decode("utf-8-sig"), Loader=documents.Loader)
        if isinstance(node, yaml.MappingNode):
            _check_extent(node, source)
            if unique_keys:
                _check_duplicates(node, source)
            return dict(documents.construct(node))
    except UnicodeDecodeError as error:
        raise RecipeInvalid(f"{source} is not text in UTF-8: {error}.") from error
    except RecursionError as error:
        raise _too_deep(source) from error
    # A tag such as !!bool before text that is none makes PyYAML raise whatever Python does.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise RecipeInvalid(f"{source} is not one YAML document: {' '.join(str(error).split())}.") from error
    raise RecipeInvalid(f"{source} is {_kind(node)}; a recipe is a mapping with sections such as run: and others.")


def value_problems(value: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield what a tree has that no recipe can: keys that are not text, numbers that are not finite, other types."""
    where = ".".join(path)
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(key, str) and key:
                yield from value_problems(inner, (*path, key))
            else:
                yield f"the key {key!r} {f'in {where} ' if where else ''}is not text; put it in quotes."
    elif isinstance(value, list):
        for inner in value:
            yield from value_problems(inner, path)
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{where} is {value}; a recipe has finite numbers."
    elif value is not None and not isinstance(value, bool | int | float | str):
        yield f"{where} is a {type(value).__name__}; a recipe has text, numbers, true, false, null, lists and mappings."


def too_large(source: str) -> RecipeInvalid:
    """Return the error for a recipe beyond `MAX_BYTES`."""
    return RecipeInvalid(f"{source} is too large for a recipe: more than {MAX_BYTES} bytes.")


def _kind(node: yaml.Node | None) -> str:
    return "empty" if node is None else "a list" if isinstance(node, yaml.SequenceNode) else "a single value"


def _check_extent(root: yaml.MappingNode, source: str) -> None:
    values, depth = _extent(root, source, {}, set())
    if values > MAX_VALUES:
        raise RecipeInvalid(
            f"{source} has anchors that make {_about(values)} values of it, at most {MAX_VALUES} are read. "
            "Write the values out."
        )
    if depth > MAX_DEPTH:
        raise _too_deep(source)


def _check_duplicates(root: yaml.MappingNode, source: str) -> None:
    problems = list(dict.fromkeys(_duplicates(root, set())))
    if problems:
        raise RecipeInvalid(f"{source} cannot be used.", problems=problems)


def _extent(node: yaml.Node, source: str, known: dict[int, tuple[int, int]], open_nodes: set[int]) -> tuple[int, int]:
    """Return how many values a node stands for with its anchors written out, and how deep they are nested."""
    if id(node) in open_nodes:
        raise RecipeInvalid(f"{source} has an anchor that contains itself, line {node.start_mark.line + 1}.")
    if id(node) not in known:
        open_nodes.add(id(node))
        inner = [_extent(child, source, known, open_nodes) for child in _children(node)]
        open_nodes.remove(id(node))
        known[id(node)] = (1 + sum(count for count, _ in inner), 1 + max((deep for _, deep in inner), default=0))
    return known[id(node)]


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _duplicates(node: yaml.Node, seen: set[int]) -> Iterator[str]:
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                line = key.start_mark.line + 1
                if key.value in lines:
                    yield f"{key.value} stands twice in one section, in lines {lines[key.value]} and {line}; keep one."
                lines.setdefault(key.value, line)
    for child in _children(node):
        yield from _duplicates(child, seen)


def _about(values: int) -> str:
    return str(values) if values < 10**9 else "more than a billion"


def _too_deep(source: str) -> RecipeInvalid:
    return RecipeInvalid(f"{source} is nested too deeply for a recipe: at most {MAX_DEPTH} levels are read.")
