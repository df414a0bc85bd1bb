"""What the rows of a dataset had in common, for rules about the dataset as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lambda_handlers.catalog.lookup import nearest
from lambda_handlers.datasets.forms.columns import Columns

# Rows of a hostile file could each bring new names; messages need only a few.
_MAX_NAMES: Final = 200


@dataclass(slots=True)
class RowsSeen:
    """Counts kept while rows go by; constant in size."""

    flat: int = 0
    with_system: int = 0
    with_reasoning: int = 0
    absent: Counter[str] = field(default_factory=Counter)
    names: set[str] = field(default_factory=set)

    def count_flat(self, *, system: str | None, reasoning: str | None) -> None:
        """Count a good flat row and the optional parts that its record has."""
        self.flat += 1
        if system:
            self.with_system += 1
        if reasoning:
            self.with_reasoning += 1

    def count_converse(self, *, system: bool, reasoning: bool) -> None:
        """Count a good row that came in Converse form and the optional parts that it has."""
        self.with_system += system
        self.with_reasoning += reasoning

    def note_columns(self, row: Mapping[str, Any], columns: Columns) -> None:
        """Count the expected columns that a row lacks, and remember the names it has."""
        missing = [column for column in columns.expected.values() if column not in row]
        if missing:
            self.absent.update(missing)
            if len(self.names) < _MAX_NAMES:
                self.names.update(row)

    def absent_columns(self, columns: Columns) -> list[str]:
        """Describe each expected column that no flat row has, with the columns there and the nearest name."""
        if not self.flat:
            return []
        return [
            self._describe(name, column)
            for name, column in columns.expected.items()
            if self.absent[column] == self.flat
        ]

    def warnings(self, out: int) -> list[str]:
        """Describe optional parts that only some of the `out` good rows have."""
        parts = (("a system prompt", self.with_system), ("reasoning", self.with_reasoning))
        return [f"{count} of {out} rows have {part}, the others have none" for part, count in parts if 0 < count < out]

    def _describe(self, name: str, column: str) -> str:
        there = ", ".join(sorted(self.names)[:20]) or "none"
        near = nearest(column, self.names)
        hint = f"; the nearest is {near!r}" if near else ""
        return f"no row has the column {column!r} (for {name}); columns there: {there}{hint}"
