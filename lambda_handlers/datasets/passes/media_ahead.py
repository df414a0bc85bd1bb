"""Look at the rows that come next, so that their media are seen to several at a time and not one after the other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Final

from lambda_handlers.datasets.faults import RejectedRowError
from lambda_handlers.datasets.forms.form import Form, RowSettings, RowTransform
from lambda_handlers.datasets.forms.media_place import MediaItem, MediaPlace
from lambda_handlers.datasets.reading.rows import Damaged, Line, Record

_ROWS: Final = 128
_BYTES: Final = 1024 * 1024


def media_ahead(rows: Iterable[Line], form: Form, settings: RowSettings) -> Iterable[Line]:
    """Return the rows; where media have to be placed, those of up to 128 rows or 1 MiB are announced together."""
    noted = _Noted()
    # A transform of its own: it holds what it has seen of columns, which must not count twice.
    transform = form.make(replace(settings, media=noted))
    if settings.media is None or settings.as_is or not (settings.multimodal and transform.media_bits):
        return rows
    return _announced(rows, transform, noted, settings.media)


def _announced(rows: Iterable[Line], transform: RowTransform, noted: _Noted, place: MediaPlace) -> Iterator[Line]:
    waiting: list[Line] = []
    size = 0
    for line in rows:
        waiting.append(line)
        size += _note(line[2], transform)
        if len(waiting) == _ROWS or size >= _BYTES:
            place.expect(noted.take())
            yield from waiting
            waiting, size = [], 0
    place.expect(noted.take())
    yield from waiting


def _note(row: bytes | Record | Damaged, transform: RowTransform) -> int:
    """Note the media of a row; return its size in bytes."""
    if isinstance(row, Damaged):
        return row.size
    raw = row.raw if isinstance(row, Record) else row
    if b"s3:" in raw:
        with suppress(RejectedRowError):
            if isinstance(row, Record):
                transform.from_columns(row.values)
            else:
                transform(row)
    return len(raw)


class _Noted:
    """A place that notes what is asked of it."""

    def __init__(self) -> None:
        self._items: dict[MediaItem, None] = {}

    def place(self, item: MediaItem, owner: str) -> tuple[str, str]:
        self._items[item] = None
        return item.uri, owner

    def expect(self, items: Collection[MediaItem]) -> None:
        self._items.update(dict.fromkeys(items))

    def take(self) -> list[MediaItem]:
        items = list(self._items)
        self._items.clear()
        return items
