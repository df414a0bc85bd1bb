"""An item store in memory that behaves as DynamoDB does, a stale index included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from lambda_handlers.protocol.store import VERSION, ConditionFailed, Item, Value, next_version

T = TypeVar("T")
Key = tuple[Value, ...]
Step = Callable[[str, Callable[[], T]], T]
Watch = Callable[[Item | None, Item], None]


class MemoryItemStore:
    """Keep items in a dict.

    `step` wraps each call, so that a test can stop a caller before or after it; `watch` sees each write, old and new.
    """

    def __init__(
        self,
        name: str,
        partition_key: str,
        sort_key: str | None = None,
        indexes: Mapping[str, str] | None = None,
        step: Step[object] | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.name = name
        self.items: dict[Key, Item] = {}
        self.indexed: dict[Key, Item] = {}
        self.lagging = False
        self._keys = [partition_key] + ([sort_key] if sort_key else [])
        self._indexes = indexes or {}
        self._step = step or (lambda _label, act: act())
        self._watch = watch or (lambda _old, _new: None)

    def get(self, key: Item) -> Item | None:
        return self._step(f"read {self.name}", lambda: self.items.get(self._key(key)))  # type: ignore[return-value]

    def put(self, item: Item, *, replacing: Item | None) -> Item:
        return self._step(f"write {self.name}", lambda: self._put(item, replacing))  # type: ignore[return-value]

    def query(self, partition: str) -> list[Item]:
        return self._step(f"read {self.name}", lambda: self._query(partition))  # type: ignore[return-value]

    def query_index(self, index: str, value: str) -> list[Item]:
        attribute = self._indexes[index]
        return self._step(  # type: ignore[return-value]
            f"read {self.name}", lambda: [item for item in self.indexed.values() if item.get(attribute) == value]
        )

    def catch_up(self) -> None:
        """Bring the indexes up to date."""
        self.indexed = dict(self.items)

    def _put(self, item: Item, replacing: Item | None) -> Item:
        key = self._key(item)
        stored = self.items.get(key)
        expected = None if replacing is None else replacing[VERSION]
        if (None if stored is None else stored[VERSION]) != expected:
            raise ConditionFailed(self.name)
        self.items[key] = {**item, VERSION: next_version(replacing)}
        self._watch(stored, self.items[key])
        if not self.lagging:
            self.catch_up()
        return self.items[key]

    def _query(self, partition: str) -> list[Item]:
        return [item for key, item in sorted(self.items.items()) if key[0] == partition]

    def _key(self, item: Item) -> Key:
        return tuple(item[name] for name in self._keys)


def job_registry(step: Step[object] | None = None, watch: Watch | None = None) -> MemoryItemStore:
    indexes = {"by-name": "job_name", "open": "open_marker"}
    return MemoryItemStore("registry", "run_id", "stage", indexes, step, watch)


def run_ledger(step: Step[object] | None = None) -> MemoryItemStore:
    return MemoryItemStore("ledger", "run_id", "seq", None, step)


def run_control(step: Step[object] | None = None, watch: Watch | None = None) -> MemoryItemStore:
    return MemoryItemStore("control", "item", None, None, step, watch)
