"""Where a run that meets another ends at once, data that arrives waits for the end of the run that works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from lambda_handlers.protocol.errors import TransientServiceError
from tests.starting.starting_world import StartingWorld

EVENT = {"name": "Own", "kind": "event", "dataset_path": "$.detail.where"}
OTHER = {"name": "Other", "quiet_seconds": 0, "most_objects": 1}
NIGHTLY = {"name": "Nightly", "kind": "schedule", "request": {"dataset": {"uri": "s3://incoming/datasets/"}}}


@pytest.fixture
def world() -> StartingWorld:
    return StartingWorld(defers=True)


def started_after(world: StartingWorld, **duration: float) -> list[str]:
    world.pass_time(**duration)
    return world.dispatch()


def test_what_comes_while_a_run_works_is_one_run_after_it(world: StartingWorld) -> None:
    world.run_begins("by-hand")
    told = [world.upload(f"datasets/{number}.jsonl") for number in range(3)]
    for message in told:
        world.tell(message)
        assert started_after(world, hours=3) == []
    assert {world.status_of(each) for each in told} == {("WAITING", "")}
    world.run_ends("by-hand")
    (run,) = world.dispatch()
    assert world.executions[run]["trigger"]["count"] == 3


def test_a_run_that_was_started_and_is_not_known_yet_is_waited_for(world: StartingWorld) -> None:
    world.tell(world.upload("datasets/a.jsonl"))
    (first,) = started_after(world, minutes=1)
    world.tell(world.upload("datasets/b.jsonl"))
    world.tell(world.upload("datasets/c.jsonl", **OTHER))
    world.tell(world.event(EVENT, {"where": "s3://b/datasets/d.jsonl"}))
    assert started_after(world, hours=1) == []
    world.run_begins(first)
    world.run_ends(first)
    taken = []
    for _ in range(3):
        (run,) = world.dispatch()
        taken.append(world.executions[run]["trigger"]["name"])
        world.run_begins(run)
        assert started_after(world, minutes=5) == []
        world.run_ends(run)
    assert sorted(taken) == ["Data", "Other", "Own"]
    assert world.dispatch() == []
    assert [item for item in world.table.items.values() if "waiting_marker" in item] == []


def test_what_a_run_brought_that_met_another_waits_again(world: StartingWorld) -> None:
    cooling = {**EVENT, "cool_down_seconds": 3600}
    told = [world.upload("datasets/a.jsonl"), world.event(cooling, {"where": "s3://b/datasets/d.jsonl"})]
    world.tell(told[0])
    (first,) = started_after(world, minutes=1)
    world.run_begins("by-hand")
    world.run_is_turned_away(first)
    assert started_after(world, minutes=5) == []
    assert world.status_of(told[0]) == ("WAITING", "")
    world.run_ends("by-hand")
    (again,) = world.dispatch()
    assert world.executions[again]["dataset"] == world.executions[first]["dataset"]
    assert world.status_of(told[0]) == ("STARTED", again)
    world.run_ends(again)
    (event_run,) = world.tell(told[1])["started"]
    world.run_is_turned_away(event_run)
    (event_again,) = started_after(world, minutes=5)  # nothing ran, so nothing cools down
    assert world.status_of(told[1]) == ("STARTED", event_again)


def test_an_alarm_whose_run_met_another_begins_no_cool_down(world: StartingWorld) -> None:
    alarm, said = {"name": "Drift", "kind": "alarm", "cool_down_seconds": 86_400}, {"alarmName": "Drift", "state": {}}
    world.run_begins("by-hand")
    (first,) = world.tell(world.event(alarm, said))["started"]
    world.run_is_turned_away(first)
    world.run_ends("by-hand")
    assert started_after(world, minutes=5) == []
    (second,) = world.tell(again := world.event(alarm, said))["started"]
    assert world.status_of(again) == ("STARTED", second)
    world.run_ends(second)
    world.dispatch()
    world.tell(third := world.event(alarm, said))
    assert world.status_of(third) == ("COOLED_DOWN", second)


@pytest.mark.parametrize("name", ["_SUCCESS", "_metadata", ".part-0.jsonl.crc"])
def test_what_writers_of_data_leave_beside_it_starts_nothing(world: StartingWorld, name: str) -> None:
    assert world.tell(world.upload(f"datasets/{name}"))["started"] == []
    assert started_after(world, hours=1) == []
    world.tell(world.upload("datasets/_a.jsonl"))
    assert len(started_after(world, hours=1)) == 1


def test_a_run_that_ends_skipped_for_its_content_is_not_repeated(world: StartingWorld) -> None:
    message = world.upload("datasets/a.jsonl")
    world.tell(message)
    (run,) = started_after(world, minutes=1)
    world.outputs[run] = '{"status": "SKIPPED", "cause": "the same input"}'
    world.run_ends(run)
    assert started_after(world, hours=1) == []
    assert world.status_of(message) == ("STARTED", run)


def test_an_execution_that_is_not_known_yet_has_not_ended(world: StartingWorld) -> None:
    world.tell(world.upload("datasets/a.jsonl"))
    (first,) = started_after(world, minutes=1)
    world.unknown.add(first)
    world.tell(world.upload("datasets/b.jsonl", **OTHER))
    assert started_after(world, seconds=10) == []
    world.unknown.clear()
    assert started_after(world, minutes=5) == []
    world.run_ends(first)
    assert len(world.dispatch()) == 1


def test_that_it_is_time_does_not_wait(world: StartingWorld) -> None:
    world.run_begins("by-hand")
    (run,) = world.tell({"trigger": NIGHTLY, "event": {"id": "x", "time": "2026-01-02T03:00:00Z"}})["started"]
    assert world.executions[run]["trigger"]["kind"] == "schedule"


def test_where_runs_wait_for_one_another_nothing_waits_here() -> None:
    world = StartingWorld(defers=False)
    world.run_begins("by-hand")
    world.tell(world.upload("datasets/a.jsonl"))
    assert len(started_after(world, minutes=1)) == 1


def test_of_events_with_data_of_their_own_that_cool_down_a_run_is_over_the_first(world: StartingWorld) -> None:
    cooling = {**EVENT, "cool_down_seconds": 7200}
    world.run_begins("by-hand")
    told = [world.event(cooling, {"where": f"s3://b/datasets/{name}.jsonl"}) for name in "de"]
    for message in told:
        world.tell(message)
        world.pass_time(minutes=1)
    world.run_ends("by-hand")
    (run,) = world.dispatch()
    assert world.executions[run]["dataset"] == {"uri": "s3://b/datasets/d.jsonl"}
    assert world.executions[run]["trigger"]["count"] == 1
    world.run_ends(run)
    assert world.dispatch() == []
    # As without the wait: the second came within the cool-down, and the record says so.
    assert [world.status_of(each) for each in told] == [("STARTED", run), ("COOLED_DOWN", run)]


def test_a_trigger_that_cannot_start_its_run_does_not_keep_the_others_from_theirs(world: StartingWorld) -> None:
    world.defers = False
    world.tell(world.event({**EVENT, "name": "A", "cool_down_seconds": 0}, {"where": "s3://b/datasets/d.jsonl"}))
    waits = world.upload("datasets/a.jsonl")
    world.tell(waits)
    start, refused = world.start, world.upload("datasets/b.jsonl", name="A")

    def refuse(name: str, document: Mapping[str, Any]) -> str:
        if document["trigger"]["name"] == "A":
            raise ValueError("refused")
        return start(name, document)

    world.start = refuse  # type: ignore[method-assign]
    world.tell(refused)
    with pytest.raises(TransientServiceError, match=r"A: ValueError: refused"):
        started_after(world, minutes=2)
    assert world.status_of(waits)[0] == "STARTED"
    world.start = start  # type: ignore[method-assign]
    (later,) = world.dispatch()
    assert world.status_of(refused) == ("STARTED", later)
