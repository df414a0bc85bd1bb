"""The book of open runs: whoever is in it may hold the lock or a fingerprint; whoever is not holds nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Final

from lambda_handlers.protocol.clock import iso
from lambda_handlers.protocol.names import canonical
from lambda_handlers.protocol.store import ConditionFailed, Item, ItemStore, attempts

_KEY: Final[Item] = {"item": "open-runs"}


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenRun:
    """Say which execution a run is, since when it is open and which fingerprint it claimed."""

    run_id: str
    execution_arn: str
    opened_at: str
    fingerprint: str = ""


_Book = Mapping[str, OpenRun]


def open_runs(store: ItemStore) -> _Book:
    """Return every open run by its id."""
    return _parse(store.get(_KEY))


def open_run(store: ItemStore, run_id: str, execution_arn: str, now: datetime, fingerprint: str = "") -> None:
    """Enter the run, or add the fingerprint to its entry. Enter it before it takes anything."""

    def entered(book: _Book) -> _Book:
        entry = book.get(run_id) or OpenRun(run_id=run_id, execution_arn=execution_arn, opened_at=iso(now))
        return {**book, run_id: replace(entry, fingerprint=fingerprint or entry.fingerprint)}

    _change(store, entered)


def close_run(store: ItemStore, run_id: str) -> None:
    """Strike the run. Do so last, when nothing is left to take back."""
    _change(store, lambda book: {each: entry for each, entry in book.items() if each != run_id})


def _change(store: ItemStore, change: Callable[[_Book], _Book]) -> None:
    for _ in attempts():
        item = store.get(_KEY)
        before = _parse(item)
        after = change(before)
        if after == before:
            return
        text = canonical([asdict(entry) for entry in after.values()])
        try:
            store.put({**_KEY, "runs": text}, replacing=item)
        except ConditionFailed:
            continue
        return


def _parse(item: Item | None) -> dict[str, OpenRun]:
    entries = json.loads(str(item["runs"])) if item else []
    return {entry["run_id"]: OpenRun(**entry) for entry in entries}
