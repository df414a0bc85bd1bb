"""Which columns the flat rows of a dataset lack: what tells a wrong mapping from a few bad rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import Any, Final, Self

from lambda_handlers.catalog.lookup import nearest

# Rows of a hostile file could each bring new names; messages need only a few. The smallest are kept, so that shards
# put together remember what one pass would.
_MAX_NAMES: Final = 200


@dataclass(slots=True)
class ColumnsSeen:
    """Counts kept while rows go by; constant in size. `rejected` are flat rows that were not good."""

    rejected: int = 0
    absent: Counter[str] = field(default_factory=Counter)
    names: set[str] = field(default_factory=set)

    def note(self, row: Mapping[str, Any], expected: Iterable[str]) -> None:
        """Count the expected columns that a flat row lacks, and remember the names it has."""
        missing = [column for column in expected if column not in row]
        if missing:
            self.absent.update(missing)
            self._remember(row)

    def add(self, other: Self) -> None:
        """Take over what another shard saw."""
        self.rejected += other.rejected
        self.absent.update(other.absent)
        self._remember(other.names)

    def absent_columns(self, expected: Mapping[str, str], *, flat: int) -> list[str]:
        """Describe each expected column (by standard name) that none of the `flat` rows has, with the nearest name."""
        return [
            self._describe(name, column) for name, column in expected.items() if flat and self.absent[column] == flat
        ]

    def _remember(self, names: Iterable[str]) -> None:
        self.names.update(names)
        if len(self.names) > _MAX_NAMES:
            self.names = set(nsmallest(_MAX_NAMES, self.names))

    def _describe(self, name: str, column: str) -> str:
        there = ", ".join(sorted(self.names)[:20]) or "none"
        near = nearest(column, self.names)
        hint = f"; the nearest is {near!r}" if near else ""
        return f"no row has the column {column!r} (for {name}); columns there: {there}{hint}"
