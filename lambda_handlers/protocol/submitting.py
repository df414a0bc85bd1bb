"""The attempts at a stage: written down before anything is created, then a job created or found again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lambda_handlers.jobs.driver import (
    CUSTOMIZATION_TAG,
    DIGEST_TAG,
    RUN_TAG,
    STAGE_TAG,
    JobDriver,
    JobState,
    JobStatus,
    NameTaken,
    place_of,
)
from lambda_handlers.protocol.delivery import Desk, finish
from lambda_handlers.protocol.errors import (
    DeploymentExists,
    JobFailed,
    JobStopped,
    QuotaExceeded,
    TransientServiceError,
)
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.names import job_name
from lambda_handlers.protocol.outcomes import lacking, leaves_job, moves_on, refused
from lambda_handlers.protocol.registry import JobRow, RowStatus
from lambda_handlers.protocol.run import Run
from lambda_handlers.protocol.store import ConditionFailed, attempts
from lambda_handlers.protocol.taking_over import inputs_of, take_over

_NAMES_TRIED: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """What is to run for a stage, and who waits for it: `requests` are its choices, `order` is which try this is.

    `contents` has for each request what it names by its place alone, by parts; it is empty for what no later run may
    take over. `output_is_there` says whether what a completed job left, its output, still exists.
    """

    run: Run
    lock: RunLock
    driver: JobDriver
    stage: str
    slug: str
    customization: str
    token: str
    order: int
    deadline_seconds: int
    requests: Sequence[Mapping[str, Any]]
    digests: Sequence[str]
    fixed_name: str
    contents: Sequence[Mapping[str, Any]]
    output_is_there: Callable[[Mapping[str, Any]], bool]

    def name(self, attempt: int) -> str:
        """Return the name of the job of an attempt."""
        if self.fixed_name:
            return self.fixed_name
        return job_name(
            slug=self.slug,
            state_machine_arn=self.run.state_machine_arn,
            run_id=self.run.id,
            started_at=self.run.started_at,
            stage=self.stage,
            attempt=attempt,
            limit=self.driver.name_limit,
            letter_first=bool(place_of(self.requests[0])),
        )

    def is_of(self, row: JobRow) -> bool:
        """Say whether a row's job is of one of these requests; that of an earlier run is if all its inputs are."""
        if row.origin:
            return row.choice < len(self.requests) and row.inputs == inputs_of(self, row.choice)
        return row.choice < len(self.requests) and row.digest == self.digests[row.choice]

    def tags(self, row: JobRow) -> dict[str, str]:
        """Return the tags by which a job is known to be the row's."""
        return {
            CUSTOMIZATION_TAG: self.customization,
            RUN_TAG: self.run.id,
            STAGE_TAG: self.stage,
            DIGEST_TAG: row.digest,
        }


def intend(desk: Desk, wanted: Submission) -> JobRow:
    """Write down, before anything is created, what is to be created and who waits for it."""
    for _ in attempts():
        old = desk.registry.get(wanted.run.id, wanted.stage)
        if old and old.submission > wanted.order:
            return old
        new = _intended(desk, wanted, old)
        try:
            return desk.registry.save(new, replacing=old)
        except ConditionFailed:
            continue
    raise AssertionError


def _intended(desk: Desk, wanted: Submission, old: JobRow | None) -> JobRow:
    if old is None:
        return take_over(desk, wanted) or _attempt(desk, wanted)
    if _over(old):
        raise JobStopped(f"Run {wanted.run.id} is over; stage {wanted.stage} starts nothing more.")
    newest = replace(old, token=wanted.token, submission=wanted.order, submitted_at=desk.epoch())
    if wanted.is_of(old) and old.outcome is None:
        return newest
    if wanted.is_of(old) and old.outcome and old.outcome.succeeded:
        return replace(newest, status=RowStatus.CLAIMED, delivered=None, closed_at=0)
    _require_ended(wanted.driver, old)
    return _attempt(desk, wanted, after=old, error=old.outcome.error if old.outcome else "")


def _attempt(desk: Desk, wanted: Submission, *, after: JobRow | None = None, error: str = "") -> JobRow:
    """Return the row of a first attempt, or of the one after an attempt that ended with `error`."""
    now, attempt, choice = desk.epoch(), 1, 0
    if after:
        attempt, choice = after.attempt + 1, (after.choice + moves_on(error)) % len(wanted.requests)
    return JobRow(
        run_id=wanted.run.id,
        stage=wanted.stage,
        kind=wanted.driver.kind,
        job_name=wanted.name(attempt),
        attempt=attempt,
        execution_arn=wanted.run.execution_arn,
        digest=wanted.digests[choice],
        deadline=now + wanted.deadline_seconds,
        submission=wanted.order,
        submitted_at=now,
        token=wanted.token,
        choice=choice,
        choices=len(wanted.requests),
        instances=wanted.driver.instances_of(wanted.requests[choice]),
        lacking=() if after is None else lacking(after) if moves_on(error) else after.lacking,
        named=bool(wanted.fixed_name),
        place=place_of(wanted.requests[choice]),
        earlier=(*after.earlier, after.job_name) if after and after.place else (),
        inputs=inputs_of(wanted, choice),
    )


def _require_ended(driver: JobDriver, row: JobRow) -> None:
    """Stop what is left of an attempt that another one is to follow; raise TransientServiceError until it has ended."""
    if row.status is RowStatus.CLOSED:
        return
    state = driver.describe(row)
    if state.status is JobStatus.RUNNING or (row.place and state.status is not JobStatus.GONE):
        driver.stop(row)
    if state.status is JobStatus.RUNNING:
        raise TransientServiceError(f"{row.kind} {row.job_name}, an earlier attempt, is still stopping.")


def create_or_adopt(desk: Desk, wanted: Submission, row: JobRow) -> JobRow | None:
    """Return the row with its job's ARN, or None if its choice was refused and the state was told to try the next."""
    for _ in range(_NAMES_TRIED):
        wanted.lock.check(wanted.run.id, wanted.run.lock_generation)
        try:
            arn = wanted.driver.create(row.job_name, wanted.requests[row.choice], row.digest, wanted.tags(row))
            return replace(row, arn=arn)
        except QuotaExceeded as error:
            # It may be looked at before the name: then it is our own job, of a call without an answer, that fills it.
            state = wanted.driver.describe(row)
            if state.status is not JobStatus.GONE and _is_ours(wanted, row, state):
                return replace(row, arn=state.arn)
            if row.choices == 1:
                raise
            finish(desk, row, refused(row, error))
            return None
        except NameTaken:
            state = wanted.driver.describe(row)
            if _is_ours(wanted, row, state):
                return replace(row, arn=state.arn)
            if wanted.fixed_name:
                raise DeploymentExists(f"{row.kind} {wanted.fixed_name} exists and is not this run's.") from None
            row = _next_attempt(desk, wanted, row, state)
    raise JobFailed(f"{_NAMES_TRIED} names for stage {wanted.stage} of run {wanted.run.id} are all in use.")


def _is_ours(wanted: Submission, row: JobRow, state: JobState) -> bool:
    if state.status is JobStatus.GONE:
        if row.named:
            # What has the name is another run's: the driver looks at no other than this run's.
            return False
        raise TransientServiceError(f"{row.kind} {row.job_name} exists but cannot be described yet.")
    live = state.status in (JobStatus.RUNNING, JobStatus.COMPLETED)
    return live and wanted.driver.digest_of(row) == row.digest


def _next_attempt(desk: Desk, wanted: Submission, row: JobRow, state: JobState) -> JobRow:
    if state.status in (JobStatus.FAILED, JobStatus.STOPPED):
        ended = replace(row, arn=state.arn)
        desk.record(ended, "job_ended", {**ended.facts(), "error": str(state.status), "cause": state.cause})
    following = _attempt(desk, wanted, after=row, error=state.error)
    try:
        return desk.registry.save(following, replacing=row)
    except ConditionFailed:
        present = desk.registry.get(row.run_id, row.stage)
        if present and present.token == wanted.token and present.job_name == following.job_name and present.waits:
            return present
        raise TransientServiceError(f"Stage {wanted.stage} of run {wanted.run.id} was changed meanwhile.") from None


def open_row(desk: Desk, wanted: Submission, made: JobRow) -> JobRow:
    """Move PENDING to OPEN; if the run was given up meanwhile, stop the job just made."""
    for _ in attempts():
        row = desk.registry.get(made.run_id, made.stage)
        if row is None or row.attempt != made.attempt or _given_up(row):
            wanted.driver.stop(made)
            raise JobStopped(f"Run {made.run_id} ended while {made.kind} {made.job_name} was being created.")
        if row.place and row.outcome:
            # It was removed when it had ended, which freed its name for this late call.
            wanted.driver.stop(made)
        if row.status is not RowStatus.PENDING:
            return row
        try:
            return desk.registry.save(replace(row, status=RowStatus.OPEN, arn=made.arn), replacing=row)
        except ConditionFailed:
            continue
    raise AssertionError


def _given_up(row: JobRow) -> bool:
    return _over(row) or (row.outcome is not None and leaves_job(row.outcome))


def _over(row: JobRow) -> bool:
    closed_early = row.status is RowStatus.CLOSED and row.outcome is None
    return closed_early or row.status in (RowStatus.CANCELLED, RowStatus.HELD)
