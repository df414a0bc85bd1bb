"""What evaluation sets ask, so that training rows can be kept from asking the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from lambda_handlers.datasets.faults import RejectedRowError
from lambda_handlers.datasets.forms import parsing
from lambda_handlers.datasets.forms.fields import is_blank
from lambda_handlers.datasets.forms.form import Form
from lambda_handlers.datasets.passes.index import NO_PROMPT, prompt_hash
from lambda_handlers.datasets.preparation import Preparation
from lambda_handlers.datasets.reading.reader import read_rows
from lambda_handlers.datasets.reading.rows import Damaged, Line, Record, SourceObject
from lambda_handlers.protocol.errors import InvalidRequest

_NAMES: Final = ("query", "prompt", "question", "text")


def prompts_of(sources: Iterable[SourceObject], preparation: Preparation, form: Form) -> Iterator[bytes]:
    """Yield what `prompt_hashes` yields, for the rows of every evaluation set; each is read once, to its end."""
    for source in sources:
        rows = read_rows(source, max_row_bytes=preparation.max_row_bytes)
        yield from prompt_hashes(rows, source=source.uri, columns=preparation.columns, form=form)


def prompts_trained_on(sources: Iterable[SourceObject], preparation: Preparation, form: Form) -> Iterator[bytes]:
    """Yield the hash of what each row of prepared training data asks: NO_PROMPT where that is a picture alone."""
    names = _asking_columns(form, preparation.columns)
    for source in sources:
        for _, _, row in read_rows(source, max_row_bytes=preparation.max_row_bytes):
            yield prompt_hash(_prompt(row, names))


def prompt_hashes(rows: Iterable[Line], *, source: str, columns: Mapping[str, str], form: Form) -> Iterator[bytes]:
    """Yield the hash of what each row of an evaluation set asks, whatever the form of the row.

    `columns` maps standard names to those of the data. Of a row with several columns that may ask, the one that asks in
    rows for `form`, which is the form that is made of the training rows, counts first. A row need not be good, but has
    to tell what it asks: raises InvalidRequest, which names the row, for any other.
    """
    names = _asking_columns(form, columns)
    for number, (line, _, row) in enumerate(rows, start=1):
        hashed = prompt_hash(_prompt(row, names))
        if hashed == NO_PROMPT:
            raise InvalidRequest(
                f"row {number} (line {line}) of the evaluation set {source} does not tell what it asks: it has neither "
                f"messages with a text of the user nor a text in one of the columns {', '.join(names)}"
            )
        yield hashed


def _asking_columns(form: Form, columns: Mapping[str, str]) -> list[str]:
    """Return the columns that may ask: that of the form, those that are mapped, and the others, each once."""
    asking = sorted(_NAMES, key=lambda name: name not in form.required)
    mapped = [columns[name] for name in asking if name in columns]
    own = [columns.get(name, name) for name in asking if name in form.required]
    return list(dict.fromkeys([*own, *mapped, *asking]))


def _prompt(row: bytes | Record | Damaged, names: Iterable[str]) -> str:
    """Return what a row asks; "" where it does not tell."""
    if isinstance(row, Damaged):
        return ""
    try:
        values = row.values if isinstance(row, Record) else parsing.parse(row)
    except RejectedRowError:
        return ""
    if isinstance(values.get("messages"), list):
        return "\n".join(text for message in values["messages"] for text in _user_texts(message))
    texts = (values[name] for name in names if isinstance(values.get(name), str))
    return next((text for text in texts if not is_blank(text)), "")


def _user_texts(message: Any) -> Iterator[str]:
    # The role counts in any letter case, as it does in the training rows.
    if not isinstance(message, dict) or str(message.get("role")).lower() != "user":
        return
    content = message.get("content")
    for item in content if isinstance(content, list) else [{"text": content}]:
        if isinstance(item, dict) and isinstance(item.get("text"), str):
            yield item["text"]
