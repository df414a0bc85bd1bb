"""What evaluation sets ask, so that training rows can be kept from asking the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from lambda_handlers.datasets.faults import RejectedRowError
from lambda_handlers.datasets.forms import parsing
from lambda_handlers.datasets.passes.index import prompt_hash
from lambda_handlers.datasets.reading.rows import Damaged, Line, Record
from lambda_handlers.protocol.errors import InvalidRequest

_NAMES: Final = ("query", "prompt", "question", "text")


def prompt_hashes(rows: Iterable[Line], *, source: str, columns: Mapping[str, str]) -> Iterator[bytes]:
    """Yield the hash of what each row of an evaluation set asks, whatever the form of the row.

    `columns` maps standard names to those of the data. A row need not be good, but has to tell what it asks: raises
    InvalidRequest, which names the row, for any other.
    """
    names = list(dict.fromkeys([*(columns[name] for name in _NAMES if name in columns), *_NAMES]))
    for number, (line, _, row) in enumerate(rows, start=1):
        prompt = _prompt(row, names)
        if prompt is None:
            raise InvalidRequest(
                f"row {number} (line {line}) of the evaluation set {source} does not tell what it asks: it has neither "
                f"messages nor a text in one of the columns {', '.join(names)}"
            )
        yield prompt_hash(prompt)


def _prompt(row: bytes | Record | Damaged, names: Iterable[str]) -> str | None:
    if isinstance(row, Damaged):
        return None
    try:
        values = row.values if isinstance(row, Record) else parsing.parse(row)
    except RejectedRowError:
        return None
    if isinstance(values.get("messages"), list):
        return "\n".join(text for message in values["messages"] for text in _user_texts(message))
    return next((values[name] for name in names if isinstance(values.get(name), str)), None)


def _user_texts(message: Any) -> Iterator[str]:
    if not isinstance(message, dict) or message.get("role") != "user":
        return
    content = message.get("content")
    for item in content if isinstance(content, list) else [{"text": content}]:
        if isinstance(item, dict) and isinstance(item.get("text"), str):
            yield item["text"]
