"""One run of a customization at a time, with a generation that fences off whoever held the lock before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lambda_handlers.protocol.clock import iso
from lambda_handlers.protocol.errors import LockLost, RunLocked
from lambda_handlers.protocol.runs import open_run, open_runs
from lambda_handlers.protocol.store import VERSION, ConditionFailed, Item, ItemStore, attempts

_KEY: Final[Item] = {"item": "lock"}


@dataclass(frozen=True, slots=True)
class RunLock:
    """Grant the lock in the run control table; every holder gets a higher generation than the one before."""

    store: ItemStore

    def acquire(self, run_id: str, execution_arn: str, now: datetime) -> int:
        """Return the generation; the same one when the run asks again. Raise RunLocked while another run holds it.

        A holder that is no longer in the book of open runs has ended: its lock is taken over.
        """
        open_run(self.store, run_id, execution_arn, now)
        for _ in attempts():
            item = self.store.get(_KEY)
            holder = self.holder(item)
            if holder == run_id:
                return self._held(item, run_id)
            if holder and holder in open_runs(self.store):
                raise RunLocked(f"Run {holder} is in progress; this customization runs one at a time.")
            generation = _generation(item) + 1
            taken = {"run_id": run_id, "execution_arn": execution_arn, "acquired_at": iso(now)}
            if self._swap(item, {**taken, "generation": generation, "fenced": False}):
                return generation
        raise AssertionError

    def check(self, run_id: str, generation: int) -> None:
        """Raise LockLost unless the run holds the lock in that generation and is not being closed."""
        item = self.store.get(_KEY)
        if item is None or self.holder(item) != run_id or _generation(item) != generation or item.get("fenced"):
            raise LockLost(f"Run {run_id} no longer holds the lock (generation {generation}).")

    def fence(self, run_id: str) -> None:
        """Make every later check of the run fail while it still keeps others out; nothing if it holds no lock."""
        for _ in attempts():
            item = self.store.get(_KEY)
            if item is None or self.holder(item) != run_id or item.get("fenced"):
                return
            if self._swap(item, {**item, "fenced": True}):
                return

    def release(self, run_id: str, generation: int | None = None) -> None:
        """Give the lock back if the run holds it (in that generation, where one is given)."""
        for _ in attempts():
            item = self.store.get(_KEY)
            if item is None or self.holder(item) != run_id or generation not in (None, _generation(item)):
                return
            if self._swap(item, {"generation": _generation(item)}):
                return

    def holder(self, item: Item | None = None) -> str | None:
        """Return the id of the run that holds the lock, or None."""
        item = item or self.store.get(_KEY)
        return str(item["run_id"]) if item and "run_id" in item else None

    def generation(self) -> int:
        """Return the generation of whoever holds the lock, or held it last; 0 before the first."""
        return _generation(self.store.get(_KEY))

    def _held(self, item: Item | None, run_id: str) -> int:
        if item and item.get("fenced"):
            raise LockLost(f"Run {run_id} is being closed.")
        return _generation(item)

    def _swap(self, old: Item | None, new: Item) -> bool:
        values = {name: value for name, value in new.items() if name != VERSION}
        try:
            self.store.put({**values, **_KEY}, replacing=old)
        except ConditionFailed:
            return False
        return True


def _generation(item: Item | None) -> int:
    return int(item["generation"]) if item else 0
