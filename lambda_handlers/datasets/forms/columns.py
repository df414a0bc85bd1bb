"""Which column of a flat row means what: standard names, and the names that the data uses for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from lambda_handlers.catalog.lookup import nearest
from lambda_handlers.datasets.forms.form import Form
from lambda_handlers.protocol.errors import InvalidRequest


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
            yield f"columns: {name!r} tells of which form a row is and cannot be mapped; choose another name"
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
            yield f"columns: {names} read the same column {column!r}; map each to one of its own"
