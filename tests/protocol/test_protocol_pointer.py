"""What the pointer remembers, and how it goes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lambda_handlers.protocol.errors import InvalidRequest, LockLost
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.pointer import HISTORY_KEPT, Pointer
from lambda_handlers.protocol.store import Item, ItemStore
from lambda_handlers.protocol.targets import Rollback, Target
from tests.protocol.protocol_memory import run_control

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def promoted(store: ItemStore, count: int) -> Pointer:
    """Return a pointer that runs r1, r2, … have moved to d1, d2, … of m1, m2, …"""
    for number in range(1, count + 1):
        promote(store, number)
    return Pointer(store)


def promote(store: ItemStore, number: int, arn: str | None = None) -> None:
    lock, run = RunLock(store), f"r{number}"
    generation = lock.acquire(run, f"e{number}", NOW)
    at = NOW + timedelta(minutes=number)
    Pointer(store).move(run, generation, arn or f"d{number}", model_arn=f"m{number}", now=at)
    lock.release(run)


def withdrawal(target: Target | None) -> Rollback:
    assert target is not None
    return Rollback(
        id=f"rollback-of-{target.arn}", withdrawn_arn=target.arn, withdrawn_model_arn=target.model_arn,
        withdrawn_run_id=target.run_id, reason="it stammers", by={"claim": "arn:me"}, at="2026-11-22T12:00:00.000000Z",
    )  # fmt: skip


def back(pointer: Pointer) -> Target:
    """Roll the pointer back to where it goes by itself."""
    target = pointer.read()
    assert target is not None
    assert target.rollback_target is not None
    return pointer.roll_back(withdrawal(target), target.rollback_target)


def shown(pointer: Pointer) -> Target:
    target = pointer.read()
    assert target is not None
    return target


def test_the_pointer_remembers_what_it_showed_the_last_first() -> None:
    target = shown(promoted(run_control(), 4))
    assert [(each.arn, each.model_arn, each.run_id) for each in target.history] == [
        ("d3", "m3", "r3"), ("d2", "m2", "r2"), ("d1", "m1", "r1"),
    ]  # fmt: skip
    assert target.history[0].moved_at == "2026-11-22T10:03:00.000000Z"


def test_it_forgets_what_is_long_ago() -> None:
    target = shown(promoted(run_control(), HISTORY_KEPT + 5))
    assert [each.arn for each in target.history] == [f"d{number}" for number in range(HISTORY_KEPT + 4, 4, -1)]


def test_a_deployment_updated_in_place_is_remembered_with_each_of_its_models() -> None:
    store = run_control()
    for number in (1, 2, 3):
        promote(store, number, arn="same")
    assert [(each.arn, each.model_arn) for each in shown(Pointer(store)).history] == [("same", "m2"), ("same", "m1")]


def test_a_rollback_shows_the_target_before_and_says_what_it_withdrew() -> None:
    pointer = promoted(run_control(), 3)
    target = back(pointer)
    assert target == shown(pointer)
    assert (target.arn, target.model_arn, target.run_id, target.previous) == ("d2", "m2", "r2", "d3")
    assert target.rollback is not None
    assert target.rollback.reason == "it stammers"
    assert [(each.arn, each.withdrawn) for each in target.history] == [("d3", True), ("d1", False)]


def test_a_second_rollback_goes_further_back_and_not_to_what_was_withdrawn() -> None:
    pointer = promoted(run_control(), 3)
    back(pointer)
    assert back(pointer).arn == "d1"
    assert shown(pointer).rollback_target is None


def test_a_repeated_rollback_moves_nothing_further() -> None:
    pointer = promoted(run_control(), 3)
    asked, to = withdrawal(pointer.read()), shown(pointer).rollback_target
    assert to is not None
    first = pointer.roll_back(asked, to)
    assert pointer.roll_back(asked, to) == first == shown(pointer)


def test_a_rollback_of_what_is_no_longer_shown_is_refused() -> None:
    store = run_control()
    pointer = promoted(store, 2)
    stale, to = withdrawal(pointer.read()), shown(pointer).rollback_target
    assert to is not None
    promote(store, 3)
    with pytest.raises(InvalidRequest, match="no longer shows d2"):
        pointer.roll_back(stale, to)
    with pytest.raises(InvalidRequest, match="no longer shows d9"):
        Pointer(run_control()).roll_back(replace(stale, withdrawn_arn="d9"), to)
    assert shown(pointer).arn == "d3"


def test_a_run_at_work_during_a_rollback_does_not_move_the_pointer_forward_and_the_next_one_does() -> None:
    store = run_control()
    pointer, lock = promoted(store, 2), RunLock(store)
    generation = lock.acquire("r3", "e3", NOW)
    back(pointer)
    with pytest.raises(LockLost, match=r"rolled back at .* \(it stammers\).* Start a new run"):
        pointer.move("r3", generation, "d3", model_arn="m3", now=NOW)
    assert shown(pointer).arn == "d1"
    lock.release("r3")
    promote(store, 4)
    assert (shown(pointer).arn, shown(pointer).rollback) == ("d4", None)


def test_a_promotion_repeated_after_its_rollback_does_not_undo_it() -> None:
    store = run_control()
    lock, pointer = RunLock(store), promoted(store, 1)
    generation = lock.acquire("r2", "e2", NOW)
    pointer.move("r2", generation, "d2", model_arn="m2", now=NOW)
    back(pointer)
    with pytest.raises(LockLost):
        pointer.move("r2", generation, "d2", model_arn="m2", now=NOW)
    assert shown(pointer).arn == "d1"


def test_a_run_that_is_closed_as_it_moves_the_pointer_has_moved_it_or_never_will() -> None:
    """What the run made is deleted unless the pointer shows it: a move may not come after that was looked at."""
    store = run_control()
    for number, before in ((1, None), (2, "d0")):
        if before:
            Pointer(store).move("r0", RunLock(store).acquire("r0", "e0", NOW), before)
            RunLock(store).release("r0")
        lock, run = RunLock(store), f"r{number}"
        generation = lock.acquire(run, f"e{number}", NOW)
        with pytest.raises(LockLost):
            Pointer(ClosedBeforePut(store, run)).move(run, generation, f"d{number}")
        target = Pointer(store).read()
        assert (target and target.arn) == before
        lock.release(run)


class ClosedBeforePut:
    """A store that has a run closed between its check of the lock and its first write."""

    def __init__(self, store: ItemStore, run: str) -> None:
        self._store, self._run = store, run

    def get(self, key: Item) -> Item | None:
        return self._store.get(key)

    def put(self, item: Item, *, replacing: Item | None) -> Item:
        if self._run:
            RunLock(self._store).fence(self._run)
            Pointer(self._store).settle()
            self._run = ""
        return self._store.put(item, replacing=replacing)

    def query(self, partition: str) -> list[Item]:
        return self._store.query(partition)

    def query_index(self, index: str, value: str) -> list[Item]:
        return self._store.query_index(index, value)
