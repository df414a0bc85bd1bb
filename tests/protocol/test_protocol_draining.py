"""While a customization is drained nobody begins; who works goes on; what is written survives a reading."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lambda_handlers.protocol.errors import RunLocked, TurnAwaited
from lambda_handlers.protocol.lock import LOCK_KEY, RunLock
from lambda_handlers.protocol.turns import Concurrency, Draining, Turns
from tests.protocol.protocol_memory import MemoryItemStore, run_control

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def ask(store: MemoryItemStore, run: str, policy: Concurrency = Concurrency.QUEUE) -> int:
    deadline = int(NOW.timestamp()) + 3600
    return RunLock(store).acquire(run, f"e-{run}", NOW, policy=policy, started_at=run, deadline=deadline)


def test_who_works_keeps_the_lock_and_who_waits_is_sent_away() -> None:
    store, lock = (made := run_control()), RunLock(made)
    assert ask(store, "r1") == 1
    for run in ("r2", "r3"):
        with pytest.raises(TurnAwaited):
            ask(store, run)
    turns = lock.drain("arn:me", NOW)
    assert (turns.queue, turns.draining) == (
        (), Draining(since="2026-01-02T03:04:05.000000Z", by="arn:me", turned_away=("r2", "r3"))
    )  # fmt: skip
    assert ask(store, "r1") == 1
    lock.check("r1", 1)
    lock.release("r1", NOW)
    assert lock.turns().holders == ()
    words = "being drained since 2026-01-02T03:04:05.000000Z by arn:me: no run starts"
    for run, policy in zip(("r2", "r4", "r5", "r6"), Concurrency, strict=True):
        with pytest.raises(RunLocked, match=words):
            ask(store, run, policy)
    assert lock.drain("arn:you", LATER).draining == Draining(
        since="2026-01-02T03:04:05.000000Z", by="arn:me", turned_away=("r2", "r3", "r4", "r5", "r6")
    )


def test_it_is_opened_by_who_knows_all_that_were_turned_away() -> None:
    store, lock = (made := run_control()), RunLock(made)
    known = lock.drain("arn:me", NOW).draining
    assert known is not None
    with pytest.raises(RunLocked):
        ask(store, "r1")
    assert not lock.reopen(known)
    newer = lock.turns().draining
    assert newer is not None
    assert newer.turned_away == ("r1",)
    assert lock.reopen(newer)
    with pytest.raises(RunLocked, match="being drained"):
        ask(store, "r1")  # who was sent away stays so
    assert ask(store, "r2") == 1
    assert lock.turns().draining is None


def test_a_lock_from_before_it_could_be_drained_is_read() -> None:
    store = run_control()
    ask(store, "r1")
    item = {name: value for name, value in (store.get(LOCK_KEY) or {}).items() if name != "draining"}
    assert Turns.parse(item).draining is None


def test_the_item_stays_small_however_many_are_turned_away() -> None:
    draining = Draining(since="s", by="b")
    for number in range(600):
        draining = draining.turning_away(f"r{number}", "r0")
    assert (len(draining.turned_away), draining.turned_away[-1]) == (500, "r499")
