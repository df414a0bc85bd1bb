"""What must hold of the protocol at every moment, and once everything has come to rest."""

from __future__ import annotations

import json
from collections import Counter

from lambda_handlers.jobs.driver import JobStatus
from lambda_handlers.protocol import runs
from lambda_handlers.protocol.fingerprint import claim
from lambda_handlers.protocol.ledger import RUN_CLOSED, mirror_key, read, verify
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.registry import JobRegistry, RowStatus
from lambda_handlers.protocol.turns import Concurrency
from tests.protocol.protocol_processes import Command
from tests.protocol.protocol_world import TYPES, World

_PASSES = 40


def check_always(world: World) -> None:
    """Check what no interruption may break, not even for a moment."""
    world.note()
    assert not world.violations, world.violations
    for item in world.registry_store.items.values():
        job = world.jobs.get(str(item["job_name"]))
        assert job is None or not item["arn"] or job.instances in ("", f"1 x {item.get('instance_type')}")
    live = Counter((job.run_id, job.stage) for job in world.jobs.values() if job.status is JobStatus.RUNNING)
    assert all(count == 1 for count in live.values()), f"two live jobs for one stage: {live}"
    assert all(len(outcomes) == 1 for outcomes in world.sent.values()), f"a token was told two things: {world.sent}"
    working = [each.run_id for each in world.executions.values() if _works(each.status, each.phase)]
    assert len(working) <= 1 or world.policy is Concurrency.PARALLEL, f"two runs hold the lock: {working}"
    if len(world.ledger_store.items) != world.events_verified:
        for run_id in world.executions:
            assert verify(read(world.ledger_store, run_id)) == []
        world.events_verified = len(world.ledger_store.items)


def come_to_rest(world: World) -> None:
    """Let time pass without faults, and without any event: the reconciler alone must be enough."""
    world.registry_store.lagging = False
    world.refused = set()
    world.registry_store.catch_up()
    for passed in range(_PASSES):
        _finish_processes(world)
        for job in list(world.jobs.values()):
            if job.stopping and job.kind == "TrainingJob":
                world.end_job(job, JobStatus.STOPPED)
            elif passed > 1:
                world.end_job(job, JobStatus.COMPLETED)
        world.pass_time(600)
        world.start_reconciler()
        _finish_processes(world)
        if _rests(world):
            return
    raise AssertionError(f"still at work after {_PASSES} passes of the reconciler: {world.executions}")


def check_at_rest(world: World) -> None:
    """Check that nothing is left over and that every run is told of."""
    assert not [job for job in world.jobs.values() if job.status is JobStatus.RUNNING]
    assert not world.ghosts, f"late calls left {world.ghosts}"
    left = [job.name for job in world.jobs.values() if job.kind == "PyTorchJob" and not job.removed]
    assert not left, f"{left} were left in their place"
    for item in world.registry_store.items.values():
        assert item["status"] == RowStatus.CLOSED
        assert item["token"] == ""
        assert "open_marker" not in item
        assert "expires_at" in item
    for run_id in world.entered:
        _check_record(world, run_id)
    _check_pointer(world)
    _check_tokens_secret(world)
    _check_free(world)


def _check_record(world: World, run_id: str) -> None:
    events = read(world.ledger_store, run_id)
    assert verify(events) == []
    assert [event.type for event in events].count(RUN_CLOSED) == 1
    assert events[-1].type == RUN_CLOSED
    assert all(mirror_key(event) in world.objects for event in events)
    record = json.loads(world.objects[f"runs/{run_id}/record.json"])
    assert [each["seq"] for each in record["ledger"]] == list(range(1, len(events) + 1))
    execution = world.executions[run_id]
    if execution.status == "SUCCEEDED":
        assert record["status"] == execution.final
    if record["status"] == "SUCCEEDED":
        assert {job["stage"] for job in record["jobs"]} == {stage for group in world.groups for stage in group}
        assert all(world.jobs[job["name"]].status is JobStatus.COMPLETED for job in record["jobs"])
        for job in record["jobs"]:
            if job["kind"] != "CustomModel":
                assert f"1 x {job['instance_type']}" == world.jobs[job["name"]].instances
                assert TYPES[job["choice"] - 1] == job["instance_type"]
        kept = world.control.items[(f"fingerprint#{execution.fingerprint}",)]
        assert (kept["status"], kept["run_id"]) == ("SUCCEEDED", run_id)


def _check_pointer(world: World) -> None:
    target = Pointer(world.control).read()
    if target:
        assert target.arn == f"deployment-of-{target.run_id}"
        assert target.generation == world.executions[target.run_id].generation


def _check_tokens_secret(world: World) -> None:
    assert not any(b"token-" in body for body in world.objects.values())
    assert not any("token-" in repr(row) for row in JobRegistry(world.registry_store).open_rows())


def _check_free(world: World) -> None:
    """Check that a new run of any input that has not succeeded is let in: what ended runs left behind blocks nobody."""
    for item in list(world.control.items.values()):
        if item["item"].startswith("fingerprint#") and item["status"] != "SUCCEEDED":
            claim(
                world.control,
                item["item"].removeprefix("fingerprint#"),
                "next",
                False,
                world.now(),
                execution_arn="next",
            )
    if mark := RunLock(world.control).turns().draining:
        RunLock(world.control).reopen(mark)
    RunLock(world.control).acquire("next", "next", world.now())


def _works(status: str, phase: str) -> bool:
    return status == "RUNNING" and phase in ("stages", "promotion")


def _finish_processes(world: World) -> None:
    while world.processes:
        process = world.processes[0]
        while not process.ended:
            process.advance(Command.GO)
        check_always(world)


def _rests(world: World) -> bool:
    ended = all(each.status != "RUNNING" for each in world.executions.values())
    rows = all(item["status"] == RowStatus.CLOSED for item in world.registry_store.items.values())
    return ended and rows and not runs.open_runs(world.control)
