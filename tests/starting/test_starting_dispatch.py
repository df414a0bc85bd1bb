"""What arrives becomes one run: merged, deduplicated, in time, and never forgotten."""

from __future__ import annotations

import json

import pytest

from lambda_handlers.protocol.errors import InvalidRequest
from tests.starting.starting_world import StartingWorld

ALARM = {"name": "Drift", "kind": "alarm", "cool_down_seconds": 3600, "request": {"dataset": {"uri": "s3://b/d/"}}}
EVENT = {"name": "Own", "kind": "event", "dataset_path": "$.detail.data[0].where"}


@pytest.fixture
def world() -> StartingWorld:
    return StartingWorld()


def started_after(world: StartingWorld, **duration: float) -> list[str]:
    world.pass_time(**duration)
    return world.dispatch()


def test_one_object_starts_one_run_once_the_quiet_period_is_over(world: StartingWorld) -> None:
    message = world.upload("datasets/a.jsonl")
    assert world.tell(message) == {"arrived": True, "started": []}
    assert started_after(world, seconds=59) == []
    (run,) = started_after(world, seconds=1)
    document = world.executions[run]
    assert document["dataset"] == {"uri": "s3://incoming/datasets/a.jsonl", "version_id": "v1"}
    told = {"name": "Data", "kind": "dataset", "id": "v1", "at": "2026-01-01T00:01:00.000000Z", "count": 1}
    assert document["trigger"] == told
    assert world.status_of(message) == ("STARTED", run)
    assert started_after(world, hours=2) == []


def test_a_burst_becomes_one_run_over_all_objects(world: StartingWorld) -> None:
    for number in range(50):
        world.tell(world.upload(f"datasets/{number:02}.jsonl"))
        assert started_after(world, seconds=30) == []
    (run,) = started_after(world, seconds=30)
    document = world.executions[run]
    assert document["trigger"]["count"] == 50
    (body,) = world.objects.values()
    listed = json.loads(body)
    assert [each["uri"] for each in listed] == [f"s3://incoming/datasets/{n:02}.jsonl" for n in range(50)]
    assert {each["version_id"] for each in listed} == {f"v{n}" for n in range(1, 51)}
    (key,) = world.objects
    assert document["dataset"] == {"objects_uri": f"s3://artifacts/{key}"}


def test_what_never_stops_coming_is_started_all_the_same(world: StartingWorld) -> None:
    started: list[str] = []
    for number in range(100):
        world.tell(world.upload(f"datasets/{number}.jsonl", most_objects=1000))
        started += started_after(world, seconds=50)
    assert len(started) == 1
    assert world.executions[started[0]]["trigger"]["count"] == 72


def test_told_twice_or_late_it_is_the_same_arrival(world: StartingWorld) -> None:
    first, second = world.upload("datasets/a.jsonl"), world.upload("datasets/b.jsonl")
    assert [world.tell(each)["arrived"] for each in (second, first, second, first)] == [True, True, False, False]
    (run,) = started_after(world, minutes=1)
    assert world.executions[run]["trigger"]["count"] == 2
    assert [world.tell(each)["arrived"] for each in (first, second)] == [False, False]
    assert started_after(world, hours=2) == []


def test_of_two_versions_of_an_object_the_newer_one_counts(world: StartingWorld) -> None:
    older, newer = world.upload("datasets/a.jsonl"), world.upload("datasets/a.jsonl")
    world.tell(newer)
    world.tell(older)
    (run,) = started_after(world, minutes=1)
    assert world.executions[run]["dataset"]["version_id"] == "v2"
    assert world.status_of(older)[0] == "SUPERSEDED"


def test_an_older_version_that_is_told_after_the_newer_one_ran_starts_nothing(world: StartingWorld) -> None:
    older, newer = world.upload("datasets/a.jsonl"), world.upload("datasets/a.jsonl")
    world.tell(newer)
    assert len(started_after(world, minutes=1)) == 1
    world.tell(older)
    assert started_after(world, minutes=1) == []
    assert world.status_of(older)[0] == "SUPERSEDED"


def test_what_one_run_cannot_take_waits_for_its_end(world: StartingWorld) -> None:
    for number in range(5):
        world.tell(world.upload(f"datasets/{number}.jsonl", most_objects=2))
    (first,) = started_after(world, seconds=1)  # as many as one run takes are not waited for
    assert started_after(world, minutes=10) == []
    world.run_begins(first)
    world.ended.add(first)
    assert started_after(world, minutes=10) == []  # its lock is not released yet
    world.run_ends(first)
    (second,) = started_after(world, minutes=10)
    world.run_ends(second)
    (third,) = started_after(world, minutes=10)
    assert [world.executions[run]["trigger"]["count"] for run in (first, second, third)] == [2, 2, 1]


def test_objects_are_limited_by_their_bytes_too(world: StartingWorld) -> None:
    for number in range(3):
        world.tell(world.upload(f"datasets/{number}.jsonl", size=20 * 2**30))
    (run,) = started_after(world, minutes=1)
    assert world.executions[run]["trigger"]["count"] == 1
    world.run_ends(run)
    assert len(started_after(world, minutes=10)) == 1


def test_kinds_of_data_go_apart_and_what_cannot_be_read_comes_last(world: StartingWorld) -> None:
    for key in ("z.png", "a.jsonl", "b.csv", "c.jsonl", "y.png"):
        world.tell(world.upload(f"datasets/{key}"))
    taken = []
    for _ in range(3):
        (run,) = started_after(world, minutes=10)
        world.run_ends(run)
        taken.append(world.executions[run]["trigger"]["count"])
    assert taken == [2, 1, 2]


def test_a_marker_starts_a_run_over_its_folder(world: StartingWorld) -> None:
    world.tell(world.upload("datasets/march/_SUCCESS", size=0, marker="_SUCCESS"))
    world.tell(world.upload("datasets/april/_SUCCESS", size=0, marker="_SUCCESS"))
    world.tell(world.upload("datasets/march/_SUCCESS", size=0, marker="_SUCCESS"))
    (first,) = started_after(world, minutes=1)
    world.run_ends(first)
    (second,) = started_after(world, minutes=5)
    folders = [world.executions[run]["dataset"] for run in (first, second)]
    assert folders == [{"uri": "s3://incoming/datasets/april/"}, {"uri": "s3://incoming/datasets/march/"}]


def test_a_flapping_alarm_starts_one_run_per_cool_down(world: StartingWorld) -> None:
    said = {"alarmName": "Drift", "state": {"value": "ALARM", "reason": "above"}}
    flaps = []
    for _ in range(10):
        flaps.append(world.event(ALARM, said))
        world.pass_time(minutes=5)
    for message in (*flaps[3:], *flaps[:3], *flaps):  # out of order, and all of it twice
        world.tell(message)
    assert len(world.executions) == 1
    (run,) = world.executions
    assert world.executions[run]["dataset"] == {"uri": "s3://b/d/"}
    assert [world.status_of(each) for each in flaps].count(("COOLED_DOWN", run)) == 9
    world.pass_time(hours=2)
    world.tell(world.event(ALARM, said))
    assert len(world.executions) == 2


def test_events_each_start_a_run_of_their_own(world: StartingWorld) -> None:
    for number in range(3):
        message = world.event(EVENT, {"data": [{"where": f"s3://b/datasets/{number}.jsonl"}]})
        assert len(world.tell(message)["started"]) == 1
        assert world.tell(message) == {"arrived": False, "started": []}
    found = [document["dataset"] for document in world.executions.values()]
    assert found == [{"uri": f"s3://b/datasets/{number}.jsonl"} for number in range(3)]


def test_an_event_without_a_dataset_is_refused_in_words(world: StartingWorld) -> None:
    with pytest.raises(InvalidRequest, match=r"Own: the event event-1 has null at \$\.detail\.data\[0\]\.where"):
        world.tell(world.event(EVENT, {"data": []}))
    with pytest.raises(InvalidRequest, match="allowed: trigger and event, or dispatch"):
        world.tell({"detail": {}})


def test_a_schedule_told_twice_for_one_time_starts_one_run(world: StartingWorld) -> None:
    trigger = {"name": "Nightly", "kind": "schedule", "request": {"mode": "evaluate", "model": "production"}}
    for _ in range(2):
        world.tell({"trigger": trigger, "event": {"id": "x", "time": "2026-01-02T03:00:00Z"}})
    world.tell({"trigger": trigger, "event": {"id": "x", "time": "2026-01-03T03:00:00Z"}})
    assert [(e["mode"], e["trigger"]["id"]) for e in world.executions.values()] == [
        ("evaluate", "2026-01-02T03:00:00Z"),
        ("evaluate", "2026-01-03T03:00:00Z"),
    ]


def chained(world: StartingWorld, status: str, **detail: object) -> dict[str, object]:
    trigger = {"name": "Next", "kind": "chain", "checkpoint": True, "request": {"dataset": {"uri": "s3://b/d/"}}}
    output = json.dumps({"status": status, "checkpoint_uri": "s3://escrow/step_1"})
    told = {"executionArn": "arn:other:one", "name": "one", "status": "SUCCEEDED", "output": output, **detail}
    return world.tell(world.event(trigger, told))


def test_a_chain_goes_on_only_from_a_run_that_succeeded(world: StartingWorld) -> None:
    for status in ("SKIPPED", "REJECTED", "DRY_RUN"):
        assert chained(world, status) == {"arrived": False, "started": []}
    (run,) = chained(world, "SUCCEEDED")["started"]  # type: ignore[misc]
    document = world.executions[str(run)]
    assert (document["model_path"], document["trigger"]["kind"]) == ("s3://escrow/step_1", "chain")
    assert chained(world, "SUCCEEDED") == {"arrived": False, "started": []}


def test_a_chain_asks_for_an_output_that_was_too_large_for_the_event(world: StartingWorld) -> None:
    assert chained(world, "", output=None)["started"] == []
    world.outputs["arn:other:one"] = json.dumps({"status": "SUCCEEDED", "checkpoint_uri": "s3://escrow/step_2"})
    (run,) = chained(world, "", output=None)["started"]  # type: ignore[misc]
    assert world.executions[str(run)]["model_path"] == "s3://escrow/step_2"


def test_an_index_that_lags_forgets_nothing(world: StartingWorld) -> None:
    world.table.lagging = True
    world.tell(world.upload("datasets/a.jsonl"))
    assert started_after(world, minutes=1) == []
    world.table.catch_up()
    assert len(world.dispatch()) == 1
    assert world.dispatch() == []
