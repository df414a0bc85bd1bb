"""What cannot be deleted before a date, throughput under commitment, is left alone until then and deleted then."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lambda_handlers.deployment.inventory import Kind, Made
from lambda_handlers.deployment.retention import Retention, Standing
from lambda_handlers.jobs.driver import JobStatus
from lambda_handlers.protocol.errors import JobStopped
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.registry import RowStatus
from lambda_handlers.protocol.runs import close_run
from lambda_handlers.protocol.waiting import clean_up, complete
from nova_constructs.cli.models.list import cost
from tests.deployment.test_deployment_canary import NOW
from tests.protocol.protocol_world import Execution
from tests.protocol.test_protocol_waiting import Case

MONTH = 30 * 24 * 3600


@pytest.fixture
def case() -> Case:
    """Return a run whose job is complete, under a commitment of a month, and that does not want it any more."""
    made = Case()
    made.world.drivers["TrainingJob"] = made.world.drivers["CustomModel"]
    made.submit("t1")
    made.job.status, made.job.held_until = JobStatus.COMPLETED, made.world.epoch() + MONTH
    complete(
        registry=made.registry, clock=made.world, ledger=made.world, drivers=made.world.drivers.__getitem__,
        job_name=made.job.name, tasks=made.world,
    )  # fmt: skip
    made.job.in_use = False
    assert clean_up(made.world.desk, made.row, undo=True).status is RowStatus.HELD
    return made


def ended(case: Case) -> None:
    """Let the run be over and the lock be free."""
    case.world.abort(case.execution)
    reconcile(case)
    assert RunLock(case.world.control).turns().holders == ()


def reconcile(case: Case) -> None:
    process = case.world.start_reconciler()
    while not process.ended:
        process.advance()
    assert process.error is None


def test_it_is_recorded_with_the_date_and_is_not_open(case: Case) -> None:
    assert case.row.facts()["held_until"] == "2026-01-31T00:00:00.000000Z"
    assert (case.row.arn, case.row.token, case.row.outcome is not None) == (case.job.arn, "", True)
    assert case.registry.open_rows() == []
    [item] = case.world.registry_store.items.values()
    assert "expires_at" not in item


def test_closing_again_and_the_reconciler_try_nothing_until_then(case: Case) -> None:
    version = case.row.version
    assert clean_up(case.world.desk, case.row, undo=True).version == version
    ended(case)
    case.world.pass_time(MONTH - 1)
    reconcile(case)
    assert (case.job.stops, case.row.status, case.row.version) == (0, RowStatus.HELD, version)


def test_it_is_deleted_when_the_date_has_come(case: Case) -> None:
    ended(case)
    case.world.pass_time(MONTH)
    reconcile(case)
    assert (case.job.stops, case.job.status, case.row.status) == (1, JobStatus.GONE, RowStatus.HELD)
    reconcile(case)
    assert (case.job.stops, case.row.status) == (1, RowStatus.CLOSED)


def test_not_while_a_run_is_at_work_that_may_bring_it_into_production(case: Case) -> None:
    ended(case)
    at_work = Execution("r2", "B", phase="stages", group=0)
    case.world.executions["r2"] = at_work
    lock = RunLock(case.world.control)
    lock.acquire("r2", at_work.arn, case.world.now())
    case.world.pass_time(MONTH)
    reconcile(case)
    assert (case.job.stops, case.row.status) == (0, RowStatus.HELD)
    case.world.abort(at_work)
    reconcile(case)
    assert (case.job.stops, lock.turns().holders) == (1, ())


@pytest.mark.parametrize("arns", [("of the job",), ("of the job", "another")])
def test_what_a_later_run_has_made_production_of_it_stays(case: Case, arns: tuple[str, ...]) -> None:
    ended(case)
    lock = RunLock(case.world.control)
    for run, arn in zip(("r2", "r3"), arns, strict=False):
        generation = lock.acquire(run, f"arn:{run}", case.world.now())
        shown = case.job.arn if arn == "of the job" else arn
        Pointer(case.world.control).move(run, generation, shown, model_arn="m", now=case.world.now())
        lock.release(run)
        close_run(case.world.control, run)
    case.world.pass_time(MONTH)
    reconcile(case)
    assert (case.job.stops, case.job.status, case.row.status) == (0, JobStatus.COMPLETED, RowStatus.CLOSED)


def test_its_stage_makes_no_other(case: Case) -> None:
    with pytest.raises(JobStopped):
        case.submit("t2", retry=1)


def test_it_is_listed_with_the_date() -> None:
    made = Made(
        kind=Kind.PROVISIONED, arn="a", name="n", model_arn="m", status="InService", created=NOW, run_id="r1", units=2,
        committed_until=NOW + timedelta(days=30),
    )  # fmt: skip
    assert "committed until 2026-12-22" in cost(made, None)
    rule = Retention(keep=3, grace=timedelta(0), target=None, open_runs=(), now=NOW)
    [(standing, removable)] = [(each.standing, each.removable) for each in rule.judge([made])]
    assert (standing, removable) == (Standing.COMMITTED, False)
    [later] = replace(rule, now=NOW + timedelta(days=30)).judge([made])
    assert (later.standing, later.removable) == (Standing.ORPHAN, True)
