"""Helpers of the tests of forms: rows in, rows or codes out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_handlers.datasets.faults import CODES, RejectedRowError
from lambda_handlers.datasets.forms.form import Form, RowSettings, RowTransform


def transform(form: Form, **settings: Any) -> RowTransform:
    return form.make(RowSettings(**settings))


def line(row: Any) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass")


def made(form: Form, row: Any, **settings: Any) -> Any:
    return json.loads(transform(form, **settings)(line(row)))


def refusal(form: Form, row: Any, **settings: Any) -> list[tuple[str, str]]:
    """Return code and message of each fault of a row that is refused; the row may be given as a line."""
    with pytest.raises(RejectedRowError) as caught:
        transform(form, **settings)(row if isinstance(row, bytes) else line(row))
    found = [(fault.code, fault.message) for fault in caught.value.faults]
    assert {code for code, _ in found} <= set(CODES)
    return found


def codes(form: Form, row: Any, **settings: Any) -> set[str]:
    return {code for code, _ in refusal(form, row, **settings)}
