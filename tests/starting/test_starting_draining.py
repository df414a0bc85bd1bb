"""While a customization is drained nothing is started, nothing is lost, and what was turned away comes back."""

from __future__ import annotations

import pytest

from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.turns import Draining
from tests.starting.starting_world import StartingWorld

ALARM = {"name": "Drift", "kind": "alarm", "cool_down_seconds": 3600, "request": {"dataset": {"uri": "s3://b/d/"}}}

ALARMED = {"alarmName": "Drift", "state": {"value": "ALARM"}}


@pytest.fixture
def world() -> StartingWorld:
    return StartingWorld()


def drain(world: StartingWorld) -> Draining:
    mark = RunLock(world.control).drain("arn:me", world.instant).draining
    assert mark is not None
    return mark


def test_what_arrives_waits_until_the_customization_is_open_again(world: StartingWorld) -> None:
    mark = drain(world)
    message = world.upload("datasets/a.jsonl")
    assert world.tell(message) == {"arrived": True, "started": []}
    alarm = world.event(ALARM, ALARMED)
    assert world.tell(alarm)["started"] == []
    world.pass_time(hours=2)
    assert world.dispatch() == []
    assert (world.status_of(message)[0], world.status_of(alarm)[0]) == ("WAITING", "WAITING")
    assert RunLock(world.control).reopen(mark)
    assert len(world.dispatch()) == 2


def test_a_start_that_was_written_down_is_carried_out_afterwards(
    world: StartingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> str:
        raise SystemExit

    message = world.upload("datasets/a.jsonl")
    world.tell(message)
    world.pass_time(minutes=2)
    with monkeypatch.context() as patched:
        patched.setattr(world, "start", crash)
        with pytest.raises(SystemExit):
            world.dispatch()
    mark = drain(world)
    assert (world.dispatch(), world.executions) == ([], {})
    RunLock(world.control).reopen(mark)
    (run,) = world.dispatch()
    assert world.status_of(message) == ("STARTED", run)


def test_what_started_a_run_that_was_turned_away_starts_another(world: StartingWorld) -> None:
    alarm = world.event(ALARM, ALARMED)
    (run,) = world.tell(alarm)["started"]
    later = world.event(ALARM, ALARMED)
    # Turned away: its start begins no cool-down, and only its own arrivals wait again.
    assert world.arrivals.reopen("Drift", "another") == 0
    assert world.arrivals.reopen("Drift", run) == 1
    assert world.arrivals.reopen("Drift", run) == 0
    assert world.status_of(alarm) == ("WAITING", "")
    world.pass_time(seconds=1)
    assert world.tell(later)["arrived"]
    (again,) = world.executions.keys() - {run}
    assert world.status_of(alarm) == ("STARTED", again)
