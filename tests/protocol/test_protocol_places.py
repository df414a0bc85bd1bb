"""Jobs that stay in a cluster until they are removed, whatever a late create call makes of them."""

from __future__ import annotations

import pytest

from lambda_handlers.jobs.driver import JobStatus
from lambda_handlers.protocol.registry import JobRegistry, JobRow, RowStatus
from tests.protocol.protocol_processes import Command, Process
from tests.protocol.protocol_rules import check_at_rest, come_to_rest
from tests.protocol.protocol_world import PLACE, Execution, Job, World

STAGE = "training-hp"


def _row(world: World) -> JobRow:
    found = JobRegistry(world.registry_store).get("run-1", STAGE)
    assert found is not None
    return found


def _finish(world: World, *, but: Process | None = None) -> None:
    while others := [each for each in world.processes if each is not but]:
        others[0].advance()


def _until_create(world: World) -> tuple[Execution, Process]:
    """Return a run and the submission of its job, about to create it."""
    execution = world.start_execution("A")
    while execution.phase == "plan":
        world.processes[0].advance()
    submission = next(each for each in world.processes if STAGE in each.label)
    while submission.at != "create job":
        submission.advance()
    return execution, submission


def _job(world: World) -> Job:
    return world.jobs[_row(world).job_name]


def test_the_place_is_written_down_before_anything_is_created() -> None:
    world = World()
    _until_create(world)
    assert not [job for job in world.jobs.values() if job.kind == "PyTorchJob"]
    row = _row(world)
    assert (row.status, row.place, row.facts()["place"]) == (RowStatus.PENDING, PLACE, PLACE)
    assert len(row.job_name) <= 40
    world.kill_all()


@pytest.mark.parametrize("how", [JobStatus.COMPLETED, JobStatus.FAILED])
def test_what_a_job_leaves_is_removed_once_its_outcome_is_kept(how: JobStatus) -> None:
    world = World()
    world.start_execution("A")
    _finish(world)
    world.end_job(_job(world), how)
    world.start_reconciler()
    _finish(world)
    assert _job(world).removed
    assert _row(world).outcome is not None
    world.pass_time(20 * 60)
    world.start_reconciler()
    _finish(world)
    assert _row(world).status is RowStatus.CLOSED
    come_to_rest(world)
    check_at_rest(world)


def test_a_reconciler_makes_good_a_removal_that_was_interrupted() -> None:
    world = World()
    world.start_execution("A")
    _finish(world)
    world.end_job(_job(world), JobStatus.COMPLETED)
    reconciler = world.start_reconciler()
    while reconciler.at != "stop job":
        reconciler.advance()
    reconciler.advance(Command.KILL)
    assert not _job(world).removed
    assert _row(world).outcome
    world.start_reconciler()
    _finish(world)
    assert _job(world).removed
    assert world.executions["run-1"].phase == "stages"


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("error", ["", "CapacityUnavailable"])
def test_a_late_create_call_leaves_nothing_under_a_name_that_was_free_again(error: str, crash: bool) -> None:
    world = World()
    execution, late = _until_create(world)
    world.lose_invocation(execution, STAGE)
    _finish(world, but=late)
    first = _row(world).job_name
    world.end_job(_job(world), JobStatus.FAILED if error else JobStatus.COMPLETED, error)
    world.start_reconciler()
    _finish(world, but=late)
    assert world.jobs[first].removed
    assert (_row(world).job_name != first) is bool(error), "for lack of capacity, another attempt follows"
    assert _row(world).earlier == ((first,) if error else ())
    late.advance(Command.KILL_AFTER if crash else Command.GO)
    assert world.ghosts == {first}
    while not late.ended:
        late.advance()
    if crash:
        world.start_reconciler()
        _finish(world)
    assert not world.ghosts
    come_to_rest(world)
    check_at_rest(world)


def test_earlier_names_are_seen_to_before_the_row_is_closed() -> None:
    world = World()
    execution, late = _until_create(world)
    world.lose_invocation(execution, STAGE)
    _finish(world, but=late)
    world.end_job(_job(world), JobStatus.FAILED, "CapacityUnavailable")
    world.start_reconciler()
    _finish(world, but=late)
    world.end_job(_job(world), JobStatus.COMPLETED)
    world.start_reconciler()
    _finish(world, but=late)
    late.advance(Command.KILL_AFTER)
    assert world.ghosts
    come_to_rest(world)
    check_at_rest(world)
