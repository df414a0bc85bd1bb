"""Who works and who waits: many starts at once, in any order of steps, and whatever is lost on the way."""

from __future__ import annotations

import logging
import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from lambda_handlers.jobs.driver import JobStatus
from lambda_handlers.protocol.errors import LockLost, RunLocked, TurnAwaited
from lambda_handlers.protocol.ledger import RUN_CLOSED, read
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.queueing import DISMISSED, TAKEN, Queue
from lambda_handlers.protocol.reconciling import TOO_OLD
from lambda_handlers.protocol.runs import close_run, open_run, open_runs
from lambda_handlers.protocol.store import Item
from lambda_handlers.protocol.turns import Concurrency
from tests.protocol.protocol_memory import MemoryItemStore, run_control
from tests.protocol.protocol_processes import Command
from tests.protocol.protocol_rules import check_at_rest, come_to_rest
from tests.protocol.protocol_world import MAX_AGE, TURN_DEADLINE, Execution, World

logging.disable(logging.CRITICAL)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DEADLINE = int(NOW.timestamp()) + 3600
ONE_JOB = (("training",),)


class Tokens:
    """Remember what waiting states were told."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def succeed(self, token: str, output: object) -> bool:
        self.sent.append((token, output["decision"]))  # type: ignore[index]
        return True

    def fail(self, token: str, error: str, cause: str) -> bool:
        raise AssertionError


def ask(store: MemoryItemStore, number: int, policy: Concurrency = Concurrency.QUEUE) -> int:
    run = f"r{number}"
    return RunLock(store).acquire(run, f"e{number}", NOW, policy=policy, started_at=f"{number:03d}", deadline=DEADLINE)


def queue_of(store: MemoryItemStore) -> list[str]:
    return [each.run_id for each in RunLock(store).turns().queue]


def test_who_was_started_first_comes_first_whoever_asked_first() -> None:
    store = run_control()
    assert ask(store, 1) == 1
    for number in (4, 2, 3, 2):
        with pytest.raises(TurnAwaited, match="run waits for its turn, at place"):
            ask(store, number)
    assert queue_of(store) == ["r2", "r3", "r4"]
    RunLock(store).release("r1", NOW)
    assert ask(store, 2) == 2
    RunLock(store).check("r2", 2)
    RunLock(store).release("r3", NOW)
    RunLock(store).release("r2", NOW)
    assert (ask(store, 4), queue_of(store)) == (3, [])


def test_of_two_that_wait_the_later_stays_and_the_earlier_is_told_which() -> None:
    store = run_control()
    ask(store, 1, Concurrency.QUEUE_LATEST)
    with pytest.raises(TurnAwaited):
        ask(store, 3, Concurrency.QUEUE_LATEST)
    with pytest.raises(RunLocked, match="Run r3, which was started later, waits in its place"):
        ask(store, 2, Concurrency.QUEUE_LATEST)  # its plan took longer
    with pytest.raises(TurnAwaited):
        ask(store, 4, Concurrency.QUEUE_LATEST)
    with pytest.raises(RunLocked, match="Run r4"):
        ask(store, 3, Concurrency.QUEUE_LATEST)
    RunLock(store).release("r1", NOW)
    assert ask(store, 4, Concurrency.QUEUE_LATEST) == 2


def test_runs_side_by_side_have_generations_of_their_own_and_the_newest_keeps_the_pointer() -> None:
    store = run_control()
    assert [ask(store, number, Concurrency.PARALLEL) for number in (1, 2, 1)] == [1, 2, 1]
    for run, generation in (("r1", 1), ("r2", 2)):
        RunLock(store).check(run, generation)
    with pytest.raises(LockLost):
        RunLock(store).check("r1", 2)
    RunLock(store).fence("r1")
    with pytest.raises(LockLost):
        RunLock(store).check("r1", 1)
    assert ask(store, 3, Concurrency.PARALLEL) == 3
    assert Pointer(store).move("r3", 3, "d3", now=NOW) is None
    with pytest.raises(LockLost, match="Run r3 has moved the pointer since"):
        Pointer(store).move("r2", 2, "d2", now=NOW)


def test_another_policy_from_one_deployment_to_the_next_loses_nobody() -> None:
    store = run_control()
    ask(store, 1)
    with pytest.raises(TurnAwaited):
        ask(store, 2)
    with pytest.raises(RunLocked, match="r1 is in progress"):
        ask(store, 3, Concurrency.SKIP)
    RunLock(store).release("r1", NOW)
    with pytest.raises(RunLocked, match="r2 is in progress"):
        ask(store, 4, Concurrency.SKIP)
    assert ask(store, 2, Concurrency.SKIP) == 2


@pytest.mark.parametrize("fenced", [False, True])
def test_a_lock_of_before_there_was_a_queue_is_read_as_it_stands(fenced: bool) -> None:
    control = run_control()
    open_run(control, "old", "arn:old", NOW)
    held: Item = {"run_id": "old", "execution_arn": "arn:old", "acquired_at": "2026-01-01T00:00:00Z", "fenced": fenced}
    control.put({"item": "lock", "generation": 7, **held}, replacing=None)
    lock = RunLock(control)
    with pytest.raises(RunLocked, match="Run old is in progress"):
        lock.acquire("new", "arn:new", NOW)
    lock.release("old", NOW)
    assert lock.acquire("new", "arn:new", NOW) == 8


def test_a_free_lock_of_before_there_was_a_queue_goes_on_counting() -> None:
    control = run_control()
    control.put({"item": "lock", "generation": 7}, replacing=None)
    assert RunLock(control).acquire("new", "arn:new", NOW) == 8


def test_the_lock_of_who_is_gone_goes_to_the_next_who_is_not() -> None:
    store, tokens = run_control(), Tokens()
    queue = Queue(store=store, tasks=tokens)
    ask(store, 1)
    for number in (2, 3):
        with pytest.raises(TurnAwaited):
            ask(store, number)
        queue.wait(f"r{number}", f"token-{number}", "1")
    for run in ("r1", "r2"):
        close_run(store, run)
    assert RunLock(store).recover(NOW)
    assert not RunLock(store).recover(NOW)
    assert (queue.tell(), queue.tell()) == (1, 0)
    assert tokens.sent == [("token-3", TAKEN)]


def test_a_turn_that_does_not_come_by_its_deadline_is_ended_with_the_reason() -> None:
    store, tokens = run_control(), Tokens()
    ask(store, 1)
    with pytest.raises(TurnAwaited):
        ask(store, 2)
    Queue(store=store, tasks=tokens).wait("r2", "token-2", "1")
    assert not RunLock(store).recover(NOW + timedelta(seconds=3599))
    assert RunLock(store).recover(NOW + timedelta(seconds=3600))
    Queue(store=store, tasks=tokens).tell()
    assert tokens.sent == [("token-2", DISMISSED)]
    reason = RunLock(store).turns().dismissed["r2"]
    assert reason == "Its turn had not come at 2026-01-02 04:04 UTC: run r1 worked."
    RunLock(store).release("r2", NOW)
    assert RunLock(store).turns().dismissed == {}


def test_the_token_of_an_older_try_does_not_take_the_place_of_a_newer() -> None:
    store, tokens = run_control(), Tokens()
    queue = Queue(store=store, tasks=tokens)
    ask(store, 1)
    with pytest.raises(TurnAwaited):
        ask(store, 2)
    for token, order in (("b", "2026-01-01T00:00:00Z 000002"), ("a", "2026-01-01T00:00:00Z 000001")):
        assert queue.wait("r2", token, order) == {"place": 1}
    RunLock(store).release("r1", NOW)
    queue.tell()
    assert tokens.sent == [("b", TAKEN)]
    assert "'b'" not in str(store.items)


def test_a_run_that_is_being_closed_does_not_wait() -> None:
    store = run_control()
    ask(store, 1)
    with pytest.raises(TurnAwaited):
        ask(store, 2)
    RunLock(store).fence("r2")
    with pytest.raises(LockLost, match="being closed"):
        Queue(store=store, tasks=Tokens()).wait("r2", "t", "1")


# Many at once


def mix(world: World, seed: int) -> None:
    """Let the processes go on step by step in an order of chance, until none is left."""
    chance = random.Random(seed)
    while world.processes:
        chance.choice(world.processes).advance()
        assert not world.violations, world.violations
        working = [each.run_id for each in world.executions.values() if each.phase in ("stages", "promotion")]
        alone = [run for run in working if world.executions[run].status == "RUNNING"]
        assert len(alone) <= 1 or world.policy is Concurrency.PARALLEL


def rest(world: World, seed: int) -> None:
    """Complete jobs and let the reconciler pass, until every execution has ended."""
    for _ in range(len(world.executions) + 5):
        for job in list(world.jobs.values()):
            world.end_job(job, JobStatus.COMPLETED)
        world.start_reconciler()
        mix(world, seed)
        if all(each.status != "RUNNING" for each in world.executions.values()):
            break
    come_to_rest(world)
    check_at_rest(world)


def started(policy: Concurrency, seed: int, count: int = 100) -> World:
    world = World(policy, groups=ONE_JOB, retries=6)
    for number in range(count):
        world.start_execution(f"input {number}")
    mix(world, seed)
    return world


def outcomes(world: World) -> Counter[str]:
    told: Counter[str] = Counter()
    for run_id in world.executions:
        [closed] = [event for event in read(world.ledger_store, run_id) if event.type == RUN_CLOSED]
        told[str(closed.detail["status"])] += 1
    return told


def test_of_a_hundred_starts_at_once_exactly_one_runs() -> None:
    world = started(Concurrency.SKIP, seed=1)
    assert len(world.jobs) == 1
    assert Counter(each.status for each in world.executions.values()) == {"SUCCEEDED": 99, "RUNNING": 1}
    rest(world, seed=1)
    assert outcomes(world) == {"SUCCEEDED": 1, "SKIPPED": 99}


def test_of_a_hundred_starts_at_once_all_run_one_after_another() -> None:
    world = started(Concurrency.QUEUE, seed=2)
    assert len(world.jobs) == 1
    [holder] = RunLock(world.control).turns().holders
    waiting = [each.run_id for each in RunLock(world.control).turns().queue]
    assert len(waiting) == 99
    assert waiting == [run for run in world.executions if run != holder.run_id]  # in the order of their start
    rest(world, seed=2)
    assert outcomes(world) == {"SUCCEEDED": 100}
    assert [job.run_id for job in world.jobs.values()] == [holder.run_id, *waiting]


def test_of_a_hundred_starts_at_once_the_first_to_ask_and_the_latest_run() -> None:
    world = started(Concurrency.QUEUE_LATEST, seed=3)
    assert [each.run_id for each in RunLock(world.control).turns().queue] == ["run-100"]
    rest(world, seed=3)
    told = outcomes(world)
    assert told["SUCCEEDED"] + told["SKIPPED"] == 100
    assert "run-100" in {job.run_id for job in world.jobs.values()}
    assert told["SUCCEEDED"] == len(world.jobs) == 2


def test_of_a_hundred_starts_at_once_all_run_side_by_side() -> None:
    world = started(Concurrency.PARALLEL, seed=4)
    assert len(world.jobs) == 100
    rest(world, seed=4)
    told = outcomes(world)
    assert sum(told.values()) == 100
    assert set(told) <= {"SUCCEEDED", "FAILED"}  # FAILED: a newer run had moved the pointer before
    target = Pointer(world.control).read()
    assert target is not None
    succeeded = [each for each in world.executions.values() if each.final == "SUCCEEDED"]
    assert target.generation == max(each.generation for each in succeeded)


# What is lost on the way


def finish(world: World) -> None:
    while world.processes:
        world.processes[0].advance()


def three(policy: Concurrency = Concurrency.QUEUE) -> tuple[World, list[Execution]]:
    """Return a world with a run that trains and two that wait."""
    world = World(policy, groups=ONE_JOB)
    runs = []
    for number in range(3):
        runs.append(world.start_execution(f"input {number}"))
        finish(world)
    assert [each.phase for each in runs] == ["stages", "queue", "queue"]
    return world, runs


@pytest.mark.parametrize("dead", [(0,), (0, 1)], ids=["the holder", "the holder and the next"])
def test_one_pass_of_the_reconciler_gives_the_lock_of_the_dead_to_the_next(dead: tuple[int, ...]) -> None:
    world, runs = three()
    for number in dead:
        world.abort(runs[number])
    world.ended_events.clear()
    world.start_reconciler()
    finish(world)
    assert runs[len(dead)].phase == "stages"
    come_to_rest(world)
    check_at_rest(world)


@pytest.mark.parametrize("fault", [each for each in Command if each is not Command.GO], ids=lambda fault: fault.name)
def test_a_fault_at_any_step_of_passing_the_lock_on_is_made_good_by_one_pass(fault: Command) -> None:
    reached = set()
    for step in range(60):
        world, (first, second, third) = three()
        world.abort(first)
        closing = world.tell_ended(world.ended_events.pop())
        for position in range(60):
            if not closing.ended:
                closing.advance(fault if position == step else Command.GO)
                reached.add(position)
        world.start_reconciler()
        finish(world)
        world.start_reconciler()
        finish(world)
        assert (second.phase, third.phase) == ("stages", "queue"), f"interrupted at step {step} of closing"
        come_to_rest(world)
        check_at_rest(world)
        if step not in reached:
            break
    assert len(reached) > 15


def test_a_run_that_is_stopped_while_it_waits_leaves_the_queue() -> None:
    world, (first, second, third) = three()
    world.abort(second)
    world.tell_ended(world.ended_events.pop())
    finish(world)
    assert queue_of(world.control) == [third.run_id]
    assert second.run_id not in open_runs(world.control)
    assert first.status == "RUNNING"


def test_a_run_that_waits_too_long_is_skipped_with_the_reason() -> None:
    world, (_, second, _) = three()
    world.pass_time(TURN_DEADLINE)
    world.start_reconciler()
    finish(world)
    assert (second.status, second.final) == ("SUCCEEDED", "SKIPPED")
    come_to_rest(world)
    check_at_rest(world)


def test_a_run_that_is_too_old_is_ended_by_the_reconciler_and_says_so() -> None:
    world, (first, _, _) = three()
    world.pass_time(int(MAX_AGE.total_seconds()))
    world.executions[first.run_id].waiting.clear()  # nothing else ends it
    world.start_reconciler()
    finish(world)
    assert first.status == "RUNNING"
    world.pass_time(1)
    world.start_reconciler()
    finish(world)
    assert first.status == "ABORTED"
    [closed] = [event for event in read(world.ledger_store, first.run_id) if event.type == RUN_CLOSED]
    assert (closed.detail["status"], closed.detail["error"]) == ("ABORTED", TOO_OLD)
    come_to_rest(world)
    check_at_rest(world)
