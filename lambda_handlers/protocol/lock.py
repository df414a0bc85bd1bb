"""Which runs of a customization may work, each in a generation that fences off whoever held the lock before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lambda_handlers.protocol.clock import current
from lambda_handlers.protocol.errors import LockLost, RunLocked, TurnAwaited
from lambda_handlers.protocol.runs import open_run, open_runs
from lambda_handlers.protocol.store import ConditionFailed, Item, ItemStore, attempts
from lambda_handlers.protocol.turns import Concurrency, Draining, Turns, Waiter

LOCK_KEY: Final[Item] = {"item": "lock"}


@dataclass(frozen=True, slots=True)
class RunLock:
    """Grant the lock in the run control table; every holder gets a higher generation than the one before.

    Whoever is no longer in the book of open runs has ended: it holds nothing and waits for nothing.
    """

    store: ItemStore

    def acquire(
        self,
        run_id: str,
        execution_arn: str,
        now: datetime,
        *,
        policy: Concurrency = Concurrency.SKIP,
        started_at: str = "",
        deadline: int = 0,
    ) -> int:
        """Return the generation; the same one when the run asks again.

        Raise TurnAwaited where the run is to wait for its turn, until `deadline` (seconds since the epoch), and
        RunLocked where it will not have one.
        """
        open_run(self.store, run_id, execution_arn, now)
        waiter = Waiter(run_id=run_id, started_at=started_at, deadline=deadline)
        turns = self._change(lambda turns: turns.asked(waiter, policy, now))
        held = turns.holder(run_id)
        if held and held.fenced:
            raise LockLost(f"Run {run_id} is being closed.")
        if held:
            return held.generation
        busy = ", ".join(each.run_id for each in turns.holders)
        if place := turns.place(run_id):
            raise TurnAwaited(f"Run {busy} is in progress; this run waits for its turn, at place {place}.")
        refused = turns.dismissed.get(run_id)
        raise RunLocked(refused or f"Run {busy} is in progress; this customization runs one at a time.")

    def check(self, run_id: str, generation: int) -> None:
        """Raise LockLost unless the run holds the lock in that generation and is not being closed."""
        held = self.turns().holder(run_id)
        if held is None or held.generation != generation or held.fenced:
            raise LockLost(f"Run {run_id} no longer holds the lock (generation {generation}).")

    def fence(self, run_id: str) -> None:
        """Make every later check of the run fail while it still keeps others out; nothing if it holds no lock."""
        self._change(lambda turns: turns.fenced(run_id), alive_only=False)

    def release(self, run_id: str, now: datetime | None = None) -> None:
        """Give the lock, or the place in the queue, back; whoever is next has the lock from then on."""
        at = now or current().now()
        self._change(lambda turns: turns.without(run_id).passed_on(at))

    def recover(self, now: datetime) -> bool:
        """Take the lock from runs that have ended, send away who waited too long; return whether there were any."""
        before = self.turns()
        return self._change(lambda turns: turns.without_overdue(now).passed_on(now)) != before

    def drain(self, by: str, now: datetime) -> Turns:
        """Let nobody have the lock from now on but who has it; return how it stands. Again keeps the first mark."""
        return self._change(lambda turns: turns.drained(by, now))

    def reopen(self, known: Draining) -> bool:
        """Let runs have the lock again; return False where the mark is another by now, more runs in it, and stays."""
        return self._change(lambda turns: turns.reopened(known)).draining is None

    def turns(self) -> Turns:
        """Return who works and who waits."""
        return Turns.parse(self.store.get(LOCK_KEY))

    def generation(self) -> int:
        """Return the generation of whoever holds the lock, or held it last; 0 before the first."""
        return self.turns().generation

    def _change(self, change: Callable[[Turns], Turns], *, alive_only: bool = True) -> Turns:
        for _ in attempts():
            item = self.store.get(LOCK_KEY)
            before = Turns.parse(item)
            # Read after the lock: who has entered it entered the book before, so who is not in the book has ended.
            after = change(before.of(open_runs(self.store)) if alive_only else before)
            if after == before or self._swap(item, after):
                return after
        raise AssertionError

    def _swap(self, old: Item | None, new: Turns) -> bool:
        try:
            self.store.put({**new.item(), **LOCK_KEY}, replacing=old)
        except ConditionFailed:
            return False
        return True
