"""A recipe template: a tree whose leaves are literals, '{{placeholders}}' or references to other leaves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str, ...]

_PLACEHOLDER = re.compile(r"\{\{\s*([\w.\-]+)\s*\}\}")
_REFERENCE = re.compile(r"\$\{(?:oc\.select:)?(?:recipes\.)?([\w.]+)\}")

_UNFILLED = re.compile(r"\{\{.*?\}\}|\$\{.*?\}", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """Hold one leaf of a template: where it is and what stands there."""

    path: Path
    literal: Any

    @property
    def key(self) -> str:
        """Return the last part of the path: the name under which users know the leaf."""
        return self.path[-1]

    @property
    def dotted(self) -> str:
        """Return the whole path, as messages show it."""
        return ".".join(self.path)

    @property
    def placeholder(self) -> str | None:
        """Return x where the leaf is '{{x}}', else None."""
        match = _PLACEHOLDER.fullmatch(self.literal.strip()) if isinstance(self.literal, str) else None
        return match[1] if match else None

    @property
    def embedded(self) -> tuple[str, ...]:
        """Return the placeholders inside a longer text, such as 's3://{{bucket}}/x'."""
        if self.placeholder or not isinstance(self.literal, str):
            return ()
        return tuple(_PLACEHOLDER.findall(self.literal))

    @property
    def reference(self) -> Path | None:
        """Return the path that '${oc.select:a.b}' refers to, else None."""
        return reference(self.literal)

    def fill(self, values: Mapping[str, Any]) -> str:
        """Return the leaf's text with its embedded placeholders replaced."""
        return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), self.literal)


def reference(value: Any) -> Path | None:
    """Return the path that the text '${oc.select:a.b}' refers to, else None."""
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return tuple(match[1].split(".")) if match else None


def unfilled(value: Any) -> str | None:
    """Return the first '{{placeholder}}' or '${reference}' that a value holds, in a list or mapping too, else None."""
    if isinstance(value, str):
        match = _UNFILLED.search(value)
        return match[0] if match else None
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return next((found for each in inner if (found := unfilled(each))), None)


def leaves(tree: Mapping[str, Any], above: Path = ()) -> Iterator[Leaf]:
    """Yield every leaf in document order; lists and empty mappings are leaves."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*above, key))
        else:
            yield Leaf(path=(*above, key), literal=value)


def rebuild(tree: Mapping[str, Any], value_at: Callable[[Path], Any], above: Path = ()) -> dict[str, Any]:
    """Return a copy of the tree with every leaf replaced by `value_at(path)`."""
    return {
        key: rebuild(value, value_at, (*above, key))
        if isinstance(value, Mapping) and value
        else value_at((*above, key))
        for key, value in tree.items()
    }
