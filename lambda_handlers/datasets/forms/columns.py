"""Which column of a flat row means what: standard names, and the names that the data uses for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Self

from lambda_handlers.catalog.lookup import nearest
from lambda_handlers.datasets.forms.form import Form
from lambda_handlers.protocol.errors import InvalidRequest

SFT_REQUIRED: Final = ("question", "answer")
SFT_OPTIONAL: Final = ("system", "reasoning_text")


def resolve(form: Form, mapping: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return standard name → column of the data, for every name that the form knows or the mapping passes through.

    A name that is not mapped stands for itself. Several names may read one column, but not two required ones.

    Raises:
        InvalidRequest: With every problem of the mapping: names that the form does not know, values that are no
            column names, required names that read the same column.
    """
    given = dict(mapping or {})
    problems = [*_name_problems(form, given), *_value_problems(given)]
    columns = {name: given.get(name, name) for name in form.required + form.optional}
    if not problems:
        problems += _shared_problems(form, columns)
    if problems:
        raise InvalidRequest("the column mapping is not valid: " + "; ".join(problems), problems=problems)
    return columns | given


def expected(form: Form, mapping: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return standard name → column for those that must be somewhere in flat data: required or mapped on purpose."""
    given = dict(mapping or {})
    return {name: column for name, column in resolve(form, given).items() if name in form.required or name in given}


def _name_problems(form: Form, given: Mapping[str, str]) -> Iterator[str]:
    known = form.required + form.optional
    for name in given:
        if name in form.reserved:
            yield f"columns: {name!r} is made from other columns and cannot be mapped"
        elif name not in known and not form.passes_through:
            near = nearest(str(name), known)
            hint = f"; did you mean {near!r}?" if near else ""
            yield f"columns: {name!r} is not a standard name of the form {form.name} ({', '.join(known)}){hint}"


def _value_problems(given: Mapping[str, str]) -> Iterator[str]:
    for name, column in given.items():
        if not isinstance(column, str) or not column:
            yield f"columns.{name}: {column!r} is not the name of a column"


def _shared_problems(form: Form, columns: Mapping[str, str]) -> Iterator[str]:
    # One text as both the question and its answer is a slip (a mapping given for one of two swapped columns, say).
    for column, count in Counter(columns[name] for name in form.required).items():
        if count > 1:
            names = " and ".join(name for name in form.required if columns[name] == column)
            yield f"columns: {names} all read the column {column!r}; map each to a column of its own"


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
