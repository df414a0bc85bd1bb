"""Waiting for a job, case by case."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from lambda_handlers.jobs.driver import JobStatus
from lambda_handlers.protocol.errors import JobStopped, LockLost, TransientServiceError
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.registry import JobRegistry, JobRow, RowStatus
from lambda_handlers.protocol.run import Run
from lambda_handlers.protocol.waiting import attend, clean_up, submit
from tests.protocol.protocol_world import DEADLINE, Execution, Job, Waiting, World


class Case:
    """One run, planned, whose training state waits."""

    def __init__(self) -> None:
        self.world = World()
        self.execution = Execution("r1", "A", phase="stages", group=0)
        self.world.executions["r1"] = self.execution
        generation = RunLock(self.world.control).acquire("r1", self.execution.arn, self.world.now())
        self.execution.generation = generation
        self.registry = JobRegistry(self.world.registry_store)

    @property
    def run(self) -> Run:
        return self.execution.run

    @property
    def row(self) -> JobRow:
        row = self.registry.get("r1", "training")
        assert row is not None
        return row

    @property
    def job(self) -> Job:
        return self.world.jobs[self.row.job_name]

    def submit(
        self, token: str, retry: int = 0, request: str = "same", requests: Sequence[Mapping[str, Any]] = ()
    ) -> JobRow:
        self.execution.waiting["training"] = Waiting(token, retry)
        return submit(
            registry=self.registry,
            lock=RunLock(self.world.control),
            clock=self.world,
            ledger=self.world,
            driver=self.world.drivers["TrainingJob"],
            run=self.run,
            stage="training",
            slug="demo",
            customization="demo",
            token=token,
            deadline_seconds=DEADLINE,
            requests=requests or [{"request": request}],
            retry=retry,
            tasks=self.world,
        )

    def events(self) -> list[str]:
        return [str(item["event_id"]) for item in self.world.ledger_store.items.values()]


@pytest.fixture
def case() -> Case:
    logging.disable(logging.NOTSET)
    return Case()


def test_a_submission_creates_one_tagged_job_and_opens_its_row(case: Case) -> None:
    row = case.submit("t1")
    assert (row.status, row.attempt, row.token, row.arn) == (RowStatus.OPEN, 1, "t1", case.job.arn)
    assert (case.job.run_id, case.job.stage, case.job.digest) == ("r1", "training", row.digest)
    assert row.deadline == case.world.epoch() + DEADLINE
    assert case.events() == ["job_submitted/training/1"]


def test_a_retry_takes_the_place_of_the_token_and_creates_nothing(case: Case) -> None:
    deadline = case.submit("t1").deadline
    case.world.pass_time(100)
    row = case.submit("t2", 1)
    assert (row.token, row.attempt, row.deadline, len(case.world.jobs)) == ("t2", 1, deadline, 1)


def test_an_earlier_try_that_comes_late_does_not_take_the_token_back(case: Case) -> None:
    case.submit("t2", 1)
    assert case.submit("t1", 0).token == "t2"
    assert case.row.token == "t2"


def test_a_job_whose_create_answer_was_lost_is_adopted(case: Case) -> None:
    name = case.submit("t1").job_name
    case.world.registry_store.items.clear()
    row = case.submit("t2")
    assert (row.job_name, row.attempt, row.status) == (name, 1, RowStatus.OPEN)


def test_a_completed_job_is_adopted_and_told_at_once(case: Case) -> None:
    case.submit("t1")
    case.job.status = JobStatus.COMPLETED
    case.world.registry_store.items.clear()
    row = case.submit("t2")
    assert (row.status, row.attempt, row.delivered, row.token) == (RowStatus.CLOSED, 1, True, "")
    job = {"stage": "training", "kind": "TrainingJob", "name": row.job_name, "arn": row.arn}
    assert row.outcome is not None
    assert row.outcome.output == {"job": job, "made_by": row.job_name}


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.STOPPED])
def test_a_job_that_failed_is_not_adopted_but_followed_under_a_new_name(case: Case, status: JobStatus) -> None:
    first = case.submit("t1")
    case.job.status = status
    case.world.registry_store.items.clear()
    row = case.submit("t2")
    assert (row.attempt, row.status) == (2, RowStatus.OPEN)
    assert row.job_name != first.job_name
    assert "job_ended/training/1" in case.events()


def test_a_job_of_another_request_is_neither_adopted_nor_touched(case: Case) -> None:
    case.submit("t1")
    theirs = case.job
    theirs.digest, theirs.run_id = "another", "another"
    case.world.registry_store.items.clear()
    row = case.submit("t2")
    assert (row.attempt, theirs.status, theirs.stopping) == (2, JobStatus.RUNNING, False)


def test_a_retry_after_a_failure_was_told_makes_a_new_attempt(case: Case) -> None:
    case.submit("t1")
    case.job.status = JobStatus.FAILED
    attend(case.world.desk, case.row)
    row = case.submit("t2", 1)
    assert (row.attempt, row.status, row.outcome) == (2, RowStatus.OPEN, None)


def test_a_retry_after_a_success_is_told_the_same_success(case: Case) -> None:
    case.submit("t1")
    case.job.status = JobStatus.COMPLETED
    case.execution.waiting.clear()
    assert attend(case.world.desk, case.row).delivered is False
    assert case.submit("t2", 1).delivered is True
    assert case.world.sent["t1"] == case.world.sent["t2"]


def test_an_attempt_waits_until_the_one_before_it_has_ended(case: Case) -> None:
    case.submit("t1", request="one")
    with pytest.raises(TransientServiceError, match="still stopping"):
        case.submit("t2", 1, request="two")
    assert case.job.stopping
    case.job.status = JobStatus.STOPPED
    assert case.submit("t3", 2, request="two").attempt == 2


def test_nothing_is_created_without_the_lock(case: Case) -> None:
    RunLock(case.world.control).fence("r1")
    with pytest.raises(LockLost):
        case.submit("t1")
    assert case.world.jobs == {}
    assert case.row.status is RowStatus.PENDING


def test_nothing_is_created_for_a_run_that_was_cleaned_up(case: Case) -> None:
    case.submit("t1")
    clean_up(case.world.desk, case.row)
    with pytest.raises(JobStopped, match="is over"):
        case.submit("t2", 1)


def test_an_abort_between_intent_and_create_stops_the_job_just_made(case: Case) -> None:
    case.world.planned = {}
    process = case.world.start("submit", lambda: case.submit("t1"), lambda _: None)
    while process.at != "create job":
        process.advance()
    clean_up(case.world.desk, case.row)
    while not process.ended:
        process.advance()
    assert isinstance(process.error, JobStopped)
    assert case.job.stopping
    assert case.row.status is RowStatus.CANCELLED


def test_a_job_made_after_its_run_ended_is_found_though_its_function_died(case: Case) -> None:
    process = case.world.start("submit", lambda: case.submit("t1"), lambda _: None)
    while process.at != "create job":
        process.advance()
    assert clean_up(case.world.desk, case.row).status is RowStatus.CANCELLED
    process.advance()
    case.world.kill_all()
    assert not case.job.stopping
    clean_up(case.world.desk, case.row)
    assert case.job.stopping


def test_a_row_whose_job_was_never_made_closes_once_no_create_call_can_be_under_way(case: Case) -> None:
    process = case.world.start("submit", lambda: case.submit("t1"), lambda _: None)
    while process.at != "create job":
        process.advance()
    case.world.kill_all()
    case.world.pass_time(20 * 60 - 1)
    assert clean_up(case.world.desk, case.row).status is RowStatus.CANCELLED
    case.world.pass_time(1)
    row = clean_up(case.world.desk, case.row)
    assert (row.status, row.closed_at) == (RowStatus.CLOSED, case.world.epoch())


def test_the_deadline_tells_the_state_and_stops_the_job(case: Case) -> None:
    case.submit("t1")
    case.world.pass_time(DEADLINE - 1)
    assert attend(case.world.desk, case.row).status is RowStatus.OPEN
    case.world.pass_time(1)
    row = attend(case.world.desk, case.row)
    assert (row.status, row.delivered) == (RowStatus.STOPPING, True)
    assert row.outcome is not None
    assert (row.outcome.error, case.job.stopping) == ("JobTimedOut", True)
    case.job.status = JobStatus.STOPPED
    assert attend(case.world.desk, case.row).status is RowStatus.CLOSED
    assert len(case.world.sent["t1"]) == 1


def test_an_outcome_that_was_claimed_but_never_sent_is_sent_by_the_reconciler(case: Case) -> None:
    case.submit("t1")
    case.job.status = JobStatus.COMPLETED
    process = case.world.tell_job_event(case.job.name)
    while process.at != "send success":
        process.advance()
    case.world.kill_all()
    assert (case.row.status, case.world.sent) == (RowStatus.CLAIMED, {})
    assert attend(case.world.desk, case.row).delivered is True


@pytest.mark.parametrize("event", ["early", "late", "twice"])
def test_events_do_no_harm_whenever_they_come(case: Case, event: str) -> None:
    case.submit("t1")
    if event != "early":
        case.job.status = JobStatus.COMPLETED
    for _ in range(1 if event == "early" else 2):
        process = case.world.tell_job_event(case.job.name)
        while not process.ended:
            process.advance()
    assert case.row.status is (RowStatus.OPEN if event == "early" else RowStatus.CLOSED)
    assert sum(len(outcomes) for outcomes in case.world.sent.values()) == (0 if event == "early" else 1)


def test_only_a_closed_row_expires(case: Case) -> None:
    case.submit("t1")
    (item,) = case.world.registry_store.items.values()
    assert "expires_at" not in item
    assert item["open_marker"] == "open"
    case.job.status = JobStatus.COMPLETED
    attend(case.world.desk, case.row)
    (item,) = case.world.registry_store.items.values()
    assert item["expires_at"] == case.world.epoch() + 90 * 24 * 3600
    assert "open_marker" not in item
    assert item["token"] == ""


def test_cleaning_up_deletes_what_cannot_be_stopped_as_soon_as_it_may_be(case: Case) -> None:
    world = case.world
    driver = world.drivers["CustomModel"]
    world.drivers["TrainingJob"] = driver
    case.submit("t1")
    assert clean_up(world.desk, case.row).status is RowStatus.CANCELLED
    assert case.job.status is JobStatus.RUNNING
    case.job.status = JobStatus.COMPLETED
    clean_up(world.desk, case.row)
    assert case.job.status is JobStatus.GONE
    world.pass_time(20 * 60)
    assert clean_up(world.desk, case.row).status is RowStatus.CLOSED


def test_tokens_are_never_logged(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        case.submit("very-secret")
        case.job.status = JobStatus.FAILED
        attend(case.world.desk, case.row)
    assert "nobody waits" in caplog.text or "delivered" in caplog.text
    assert "very-secret" not in caplog.text
