"""Every step of a whole run is interrupted once in every way; the run still ends well, with a whole record."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from lambda_handlers.jobs.driver import JobStatus
from tests.protocol.protocol_processes import Command, Process
from tests.protocol.protocol_rules import check_always, check_at_rest, come_to_rest
from tests.protocol.protocol_world import GROUPS, World

logging.disable(logging.CRITICAL)

_FAULTS = [command for command in Command if command is not Command.GO]


def _finish(world: World) -> None:
    while world.processes:
        world.processes[0].advance()


def _advance(process: Process) -> None:
    while not process.ended:
        process.advance()


def _run(world: World) -> None:
    """Bring one run to its end by events alone, as far as it gets."""
    world.start_execution("A")
    for _ in range(12):
        _finish(world)
        for job in list(world.jobs.values()):
            world.end_job(job, JobStatus.COMPLETED)
        while world.job_events:
            world.tell_job_event(world.job_events.pop())
        world.start_reconciler()
        _finish(world)
        check_always(world)


def _steps_of_a_run() -> int:
    world = World()
    _run(world)
    assert world.executions["run-1"].status == "SUCCEEDED"
    return world.steps


def _interrupted_runs(plan: Callable[[World], Command | Callable[[], None]]) -> list[World]:
    """Return one world for each interrupted step, come to rest and checked."""
    worlds = []
    for step in range(1, _steps_of_a_run() + 1):
        world = World()
        world.planned[step] = plan(world)
        try:
            _run(world)
            come_to_rest(world)
            check_at_rest(world)
        except Exception as error:
            error.add_note(f"interrupted at step {step}")
            raise
        worlds.append(world)
    return worlds


def _abort(world: World) -> Callable[[], None]:
    def act() -> None:
        execution = world.executions["run-1"]
        if execution.status == "RUNNING":
            world.abort(execution)
            _advance(world.tell_ended(world.ended_events[-1]))

    return act


def _submit_again(world: World) -> Callable[[], None]:
    def act() -> None:
        for execution in world.executions.values():
            for stage, waiting in list(execution.waiting.items()):
                if not waiting.done:
                    world.lose_invocation(execution, stage)
                    _advance(world.processes[-1])
                    return

    return act


def _jobs_end(status: JobStatus, error: str = "") -> Callable[[World], Callable[[], None]]:
    def plan(world: World) -> Callable[[], None]:
        def act() -> None:
            for job in list(world.jobs.values()):
                if not error or job.kind == "TrainingJob":
                    world.end_job(job, status, error)
            for name in world.job_events:
                _advance(world.tell_job_event(name))

        return act

    return plan


def _lower_quota(world: World) -> Callable[[], None]:
    return lambda: world.refused.add("ml.a")


def _reconcile(world: World) -> Callable[[], None]:
    def act() -> None:
        _advance(world.start_reconciler())

    return act


_HAPPENINGS = {
    "abort and close": _abort,
    "submit again": _submit_again,
    "jobs complete": _jobs_end(JobStatus.COMPLETED),
    "jobs fail": _jobs_end(JobStatus.FAILED),
    "jobs get no instances": _jobs_end(JobStatus.STOPPED, "CapacityUnavailable"),
    "a quota is lowered": _lower_quota,
    "reconcile": _reconcile,
}


@pytest.mark.parametrize("fault", _FAULTS, ids=lambda fault: fault.name)
def test_a_run_survives_a_fault_at_any_step(fault: Command) -> None:
    for world in _interrupted_runs(lambda _: fault):
        assert world.executions["run-1"].status == "SUCCEEDED"


@pytest.mark.parametrize("happening", _HAPPENINGS)
def test_a_run_survives_what_happens_at_any_step(happening: str) -> None:
    ends = {world.executions["run-1"].status for world in _interrupted_runs(_HAPPENINGS[happening])}
    assert ends == {"abort and close": {"ABORTED", "SUCCEEDED"}, "jobs fail": {"FAILED", "SUCCEEDED"}}.get(
        happening, {"SUCCEEDED"}
    )


def test_an_abort_at_any_step_is_cleaned_up_without_the_reconciler() -> None:
    for step in range(1, _steps_of_a_run() + 1):
        world = World()
        world.planned[step] = _abort(world)
        world.start_execution("A")
        for _ in range(4):
            _finish(world)
            if world.executions["run-1"].status == "ABORTED":
                break
            for job in list(world.jobs.values()):
                world.end_job(job, JobStatus.COMPLETED)
            while world.job_events:
                world.tell_job_event(world.job_events.pop())
        live = [job.name for job in world.jobs.values() if job.status is JobStatus.RUNNING and not job.stopping]
        aborted = world.executions["run-1"].status == "ABORTED"
        assert not (aborted and live), f"aborted at step {step}: {live}"


@pytest.mark.parametrize("stage", GROUPS[0])
def test_a_submission_at_any_step_of_closing_leaves_no_job_running(stage: str) -> None:
    outcomes = set()
    for step in range(80):
        world = World()
        execution = world.start_execution("A")
        _finish_plan(world)
        (submission,) = [each for each in world.processes if each.label.startswith(f"submit {stage} ")]
        for other in [each for each in world.processes if each is not submission]:
            _advance(other)
        submission.advance()
        world.abort(execution)
        closing = world.tell_ended(world.ended_events[-1])
        for _ in range(step):
            if not closing.ended:
                closing.advance()
        _advance(submission)
        outcomes.add(type(submission.error).__name__)
        if not closing.ended:
            _advance(closing)
        assert not [job.name for job in world.jobs.values() if not job.stopping], f"submitted at step {step} of closing"
    assert outcomes == {"NoneType", "LockLost"}


@pytest.mark.parametrize("fault", _FAULTS, ids=lambda fault: fault.name)
def test_a_fault_at_any_step_of_closing_is_made_good_by_one_pass_of_the_reconciler(fault: Command) -> None:
    for step in range(80):
        world = World()
        execution = world.start_execution("A")
        _finish(world)
        world.abort(execution)
        closing = world.tell_ended(world.ended_events[-1])
        for position in range(80):
            if not closing.ended:
                closing.advance(fault if position == step else Command.GO)
        _advance(world.start_reconciler())
        assert [job.stopping for job in world.jobs.values()] == [True, True], f"interrupted at step {step} of closing"
        come_to_rest(world)
        check_at_rest(world)


def _finish_plan(world: World) -> None:
    while world.processes[0].label.startswith("plan"):
        world.processes[0].advance()
