"""Choices of instances for one stage, case by case: which one an attempt takes, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lambda_handlers.jobs.driver import JobStatus
from lambda_handlers.protocol.errors import QuotaExceeded
from lambda_handlers.protocol.registry import JobRow, RowStatus
from lambda_handlers.protocol.waiting import attend
from tests.protocol.protocol_world import DEADLINE
from tests.protocol.test_protocol_waiting import Case

CHOICES = ("ml.a", "ml.b")


@pytest.fixture
def case() -> Case:
    return Case()


def submit(case: Case, retry: int, choices: tuple[str, ...] = CHOICES) -> JobRow:
    return case.submit(f"t{retry}", retry, requests=[{"type": name} for name in choices])


def end(case: Case, status: JobStatus, error: str = "") -> JobRow:
    """End the present job and tell its state."""
    case.world.end_job(case.job, status, error)
    return attend(case.world.desk, case.row)


def no_capacity(case: Case) -> JobRow:
    return end(case, JobStatus.STOPPED, "CapacityUnavailable")


def took(row: JobRow) -> tuple[int, int, str]:
    return row.attempt, row.choice, str(row.instances)


def test_after_lack_of_capacity_the_next_choice_is_taken_wrapping_round(case: Case) -> None:
    taken = [took(submit(case, 0))]
    for retry in (1, 2, 3):
        no_capacity(case)
        taken.append(took(submit(case, retry)))
    assert taken == [(1, 0, "1 x ml.a"), (2, 1, "1 x ml.b"), (3, 0, "1 x ml.a"), (4, 1, "1 x ml.b")]
    assert sorted(job.instances for job in case.world.jobs.values()) == ["1 x ml.a"] * 2 + ["1 x ml.b"] * 2


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.STOPPED])
def test_after_any_other_end_the_choice_is_kept(case: Case, status: JobStatus) -> None:
    submit(case, 0)
    no_capacity(case)
    submit(case, 1)
    end(case, status)
    assert took(submit(case, 2)) == (3, 1, "1 x ml.b")


def test_a_new_attempt_has_the_whole_deadline_before_it(case: Case) -> None:
    submit(case, 0)
    case.world.pass_time(3600)
    no_capacity(case)
    assert submit(case, 1).deadline == case.world.epoch() + DEADLINE


def test_a_repeated_submission_skips_no_choice(case: Case) -> None:
    submit(case, 0)
    no_capacity(case)
    first, repeated, later = submit(case, 1), submit(case, 1), submit(case, 2)
    assert took(first) == took(repeated) == took(later) == (2, 1, "1 x ml.b")
    assert len(case.world.jobs) == 2


def test_a_job_whose_answer_was_lost_and_that_then_lacked_capacity_is_followed_by_the_next_choice(case: Case) -> None:
    submit(case, 0)
    case.world.end_job(case.job, JobStatus.STOPPED, "CapacityUnavailable")
    case.world.registry_store.items.clear()
    row = submit(case, 1)
    assert took(row) == (2, 1, "1 x ml.b")
    assert row.lacking == ("1 x ml.a",)


def test_the_error_names_every_choice_that_was_tried(case: Case) -> None:
    causes = []
    for retry in range(3):
        submit(case, retry)
        outcome = no_capacity(case).outcome
        assert outcome is not None
        assert outcome.error == "CapacityUnavailable"
        causes.append(outcome.cause)
    assert causes[0].endswith("tried in vain: 1 x ml.a (1 of 2 choices)")
    assert causes[1].endswith("tried in vain: 1 x ml.a, 1 x ml.b (2 of 2 choices)")
    assert causes[2].endswith("tried in vain: 1 x ml.a, 1 x ml.b (2 of 2 choices)")


def test_a_job_without_alternatives_has_no_more_to_tell(case: Case) -> None:
    submit(case, 0, ("ml.a",))
    row = no_capacity(case)
    assert row.outcome is not None
    assert row.outcome.cause.endswith("was stopped: as told")
    assert took(submit(case, 1, ("ml.a",))) == (2, 0, "1 x ml.a")


def test_a_choice_that_the_quota_refuses_is_passed_over(case: Case) -> None:
    case.world.refused = {"ml.a"}
    row = submit(case, 0)
    assert (row.status, row.arn, case.world.jobs) == (RowStatus.CLOSED, "", {})
    assert row.outcome is not None
    assert row.outcome.error == "QuotaExceeded"
    assert "The quota of ml.a is 0; tried in vain: 1 x ml.a (1 of 2 choices)" in row.outcome.cause
    assert case.events() == ["job_ended/training/1"]
    assert took(submit(case, 1)) == (2, 1, "1 x ml.b")


def test_the_only_choice_refused_by_the_quota_is_an_error_at_once(case: Case) -> None:
    case.world.refused = {"ml.a"}
    with pytest.raises(QuotaExceeded, match=r"The quota of ml\.a is 0"):
        submit(case, 0, ("ml.a",))
    assert case.row.status is RowStatus.PENDING


@pytest.mark.parametrize("choices", [CHOICES, ("ml.a",)])
def test_a_job_whose_answer_was_lost_is_found_where_it_fills_the_quota_itself(
    case: Case, choices: tuple[str, ...]
) -> None:
    submit(case, 0, choices)
    case.world.registry_store.items.clear()
    case.world.refused = {"ml.a"}
    row = submit(case, 1, choices)
    assert (took(row), row.status, row.arn) == ((1, 0, "1 x ml.a"), RowStatus.OPEN, case.job.arn)
    assert len(case.world.jobs) == 1


def test_facts_say_the_instances_and_which_choice_they_are(case: Case) -> None:
    submit(case, 0)
    no_capacity(case)
    facts = submit(case, 1).facts()
    told = {name: facts[name] for name in ("instance_type", "instance_count", "choice", "choices", "attempt")}
    assert told == {"instance_type": "ml.b", "instance_count": 1, "choice": 2, "choices": 2, "attempt": 2}
    assert "choice" not in submit(Case(), 0, ("ml.a",)).facts()


def _advance_to(label: str) -> Callable[[Case], None]:
    def act(case: Case) -> None:
        process = case.world.start("submit", lambda: submit(case, 1), lambda _: None)
        while process.at != label:
            process.advance()
        case.world.kill_all()

    return act


@pytest.mark.parametrize("label", ["write registry", "create job", "write ledger"])
def test_a_submission_that_dies_on_the_way_leaves_the_choice_to_the_next(case: Case, label: str) -> None:
    submit(case, 0)
    no_capacity(case)
    _advance_to(label)(case)
    assert took(submit(case, 2)) == (2, 1, "1 x ml.b")
    assert len(case.world.jobs) == 2
