"""What the smaller forms share: rows made of named values, each with one rule, from columns or as they come.

A field's rule is the same whether its value stands in a column or in a row of the form; only the place that a fault
names differs. That is why a row that is made here passes the form's own validator.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from lambda_handlers.datasets.faults import Fault, RejectedRowError
from lambda_handlers.datasets.forms import parsing, quick
from lambda_handlers.datasets.forms.columns import expected, resolve
from lambda_handlers.datasets.forms.columns_seen import ColumnsSeen
from lambda_handlers.datasets.forms.form import Form, RowSettings

Rule = Callable[[Any, str], Iterator[Fault]]
"""Yields what is wrong with a value at a place."""

FLAT: Final = 1
"""The feature bit of a row that came as flat columns."""


def unchanged(value: Any) -> Any:
    """Return the value: what most fields do with theirs."""
    return value


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One value of a row: its rule, how other writings of it are read, and what a CSV text of it means."""

    rule: Rule
    read: Callable[[Any], Any] = unchanged
    from_text: Callable[[str], Any] = unchanged


class FieldTransform(ABC):
    """Turn rows into one form; subclasses say what is already of the form, and what to do with conversations."""

    def __init__(self, form: Form, fields: Mapping[str, Field], settings: RowSettings) -> None:
        self.columns_seen = ColumnsSeen()
        self.features = 0
        self.media_bits = 0
        self._form = form
        self._fields = fields
        self._settings = settings
        self._columns = resolve(form, settings.columns)
        self._expected = frozenset(expected(form, settings.columns).values())
        self._renamed = frozenset(column for name, column in settings.columns.items() if column != name)
        self._made: dict[str, Any] = {}

    def __call__(self, line: bytes) -> bytes:
        """Return the line made of a row of JSON; raise RejectedRowError with every fault found."""
        row = quick.parse(line)
        if self._settings.as_is:
            return self._finish(row, self._row_faults(row))
        if self._is_of_form(row):
            row = self._tidied(row)
            return self._finish(row, self._row_faults(row))
        if self._is_conversation(row):
            return self._finish(*self._from_conversation(row))
        return self._from_flat(row)

    def from_columns(self, values: Mapping[str, str]) -> bytes:
        """Return the line made of a CSV row; raise RejectedRowError with every fault found.

        A text means what the field says: most are taken as they stand.
        """
        row: dict[str, Any] = dict(values)
        for name, field in self._fields.items():
            column = self._columns[name]
            if column in values:
                row[column] = field.from_text(values[column])
        if self._settings.as_is:
            return self._finish(row, self._row_faults(row))
        made = self._from_flat(row)
        if not all(type(value) is str for value in row.values()):
            parsing.check(self._made)  # a text alone may be as deep as a row, but not within one
        return made

    @abstractmethod
    def prompt(self) -> str:
        """Return what the user says in the row made last."""

    def buckets(self) -> Collection[str]:
        """Return none: rows of these forms name no media that lie in buckets."""
        return ()

    @abstractmethod
    def _row_faults(self, row: dict[str, Any]) -> list[Fault]:
        """List what is wrong with a row of the form."""

    @abstractmethod
    def _from_conversation(self, row: dict[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
        """Make a row of a conversation in Converse or OpenAI form; return it with what is wrong."""

    def _is_of_form(self, row: dict[str, Any]) -> bool:
        """Tell whether a row has the form's keys and no others, and none that the mapping gives another meaning."""
        keys = row.keys()
        return keys <= self._fields.keys() and keys >= set(self._form.required) and keys.isdisjoint(self._renamed)

    def _is_conversation(self, row: dict[str, Any]) -> bool:
        return "messages" in row and not all(self._columns[name] in row for name in self._form.required)

    def _tidied(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row of the form without optional values that say nothing, other writings made the usual one."""
        return {
            name: self._fields[name].read(value)
            for name, value in row.items()
            if name in self._form.required or not is_blank(value)
        }

    def _model_faults(self, values: dict[str, Any]) -> list[Fault]:  # noqa: ARG002 -- for the forms that need it
        """List what of the values the model cannot read."""
        return []

    def _assembled(self, values: dict[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 -- for the forms that need it
        """Return the row that the values of flat columns make."""
        return values

    def _from_flat(self, row: Mapping[str, Any]) -> bytes:
        if not row.keys() >= self._expected:
            self.columns_seen.note(row, self._expected)
        values, found = self._read_columns(row)
        if found:
            self.columns_seen.rejected += 1
            raise RejectedRowError(found)
        return self._finish(self._assembled(values, row), [], FLAT)

    def _read_columns(self, row: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
        values: dict[str, Any] = {}
        found: list[Fault] = []
        for name, field in self._fields.items():
            column = self._columns[name]
            required = name in self._form.required
            if required and column not in row:
                found.append(Fault("missing_column", f'the column "{column}" is absent'))
            elif required or not is_blank(row.get(column)):
                values[name] = field.read(row[column])
                found += field.rule(values[name], f'the column "{column}"')
        if "system" in self._fields and self._settings.system_prompt is not None:
            values.setdefault("system", self._settings.system_prompt)
        return values, found + self._model_faults(values)

    def _finish(self, row: dict[str, Any], found: list[Fault], features: int = 0) -> bytes:
        if found:
            raise RejectedRowError(found)
        self._made = row
        for bit, name in enumerate(self._form.features, start=1):
            if name in row:
                features |= 1 << bit
        self.features = features
        return orjson.dumps(row)


def closed_faults(form: Form, fields: Mapping[str, Field], row: dict[str, Any]) -> list[Fault]:
    """List what is wrong with a row that has only the fields of its form."""
    found = [
        Fault("unknown_key", f'the key "{key}" is not part of a {form.name} row')
        for key in sorted(row.keys() - fields.keys())
    ]
    for name, field in fields.items():
        if name in row:
            found += field.rule(row[name], name)
        elif name in form.required:
            found.append(Fault("missing_column", f'the key "{name}" is absent'))
    return found


def is_blank(value: Any) -> bool:
    """Tell whether an optional value says nothing: null, a text of white space, an empty array."""
    return value is None or value == [] or (isinstance(value, str) and not value.strip())
