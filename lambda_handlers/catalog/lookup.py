"""Case-insensitive lookup by name, with an error that names the nearest entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

_Entry = TypeVar("_Entry")


class UnknownNameError(ValueError):
    """Report a name that the catalog does not hold, with the nearest one and all that are allowed."""

    def __init__(self, kind: str, name: object, allowed: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.allowed = tuple(allowed)
        self.nearest = nearest(str(name), self.allowed)
        hint = f" Did you mean {self.nearest}?" if self.nearest else ""
        super().__init__(f"Unknown {kind} {name!r}.{hint} Allowed: {', '.join(self.allowed)}.")


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """Return the allowed name that looks most like `name`, or None where nothing is similar."""
    import difflib  # here, because only errors need it and every cold start pays for module imports

    by_folded = {fold(candidate): candidate for candidate in allowed}
    matches = difflib.get_close_matches(fold(name), list(by_folded), n=1)
    return by_folded[matches[0]] if matches else None


def fold(name: str) -> str:
    """Return the form in which names are compared: lower case, with hyphens and spaces as underscores."""
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def find(kind: str, name: str, entries: Mapping[str, _Entry]) -> _Entry:
    """Return the entry called `name` in any letter case.

    Raises:
        UnknownNameError: No entry has that name.
    """
    if isinstance(name, str):
        if name in entries:
            return entries[name]
        for key, entry in entries.items():
            if fold(key) == fold(name):
                return entry
    raise UnknownNameError(kind, name, entries)
