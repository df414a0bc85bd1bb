"""Which column of a flat row means what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from lambda_handlers.catalog.lookup import nearest
from lambda_handlers.protocol.errors import InvalidRequest

SFT_REQUIRED: Final = ("question", "answer")
SFT_OPTIONAL: Final = ("system", "reasoning_text")


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """Column names of flat rows for supervised fine-tuning; a name that is not mapped stands for itself."""

    question: str = "question"
    answer: str = "answer"
    system: str = "system"
    reasoning_text: str = "reasoning_text"
    mapped: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, mapping: Mapping[str, str] | None) -> Self:
        """Read a mapping of standard name to column name; raise InvalidRequest with every problem."""
        given = dict(mapping or {})
        problems = [problem for name, column in given.items() for problem in _problems(name, column)]
        if problems:
            raise InvalidRequest("the column mapping is not valid: " + "; ".join(problems), problems=problems)
        return cls(**given, mapped=frozenset(given))

    def named(self) -> dict[str, str]:
        """Return standard name → column name, as the manifest records it."""
        return {name: getattr(self, name) for name in SFT_REQUIRED + SFT_OPTIONAL}

    @property
    def expected(self) -> dict[str, str]:
        """Return the columns that must be somewhere in the data: the required ones and those mapped on purpose."""
        return {name: column for name, column in self.named().items() if name in SFT_REQUIRED or name in self.mapped}


def _problems(name: str, column: object) -> list[str]:
    allowed = SFT_REQUIRED + SFT_OPTIONAL
    if name not in allowed:
        near = nearest(name, allowed)
        hint = f"; did you mean {near!r}?" if near else ""
        return [f"columns: {name!r} is not a column name of supervised fine-tuning ({', '.join(allowed)}){hint}"]
    if not isinstance(column, str) or not column:
        return [f"columns.{name}: {column!r} is not the name of a column"]
    return []
