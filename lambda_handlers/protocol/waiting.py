"""The one way the workflow waits for a job: submit it, complete it, clean it up, reconcile what was missed."""

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
)
from lambda_handlers.protocol.clock import Clock
from lambda_handlers.protocol.delivery import (
    SUBMIT_GRACE_SECONDS,
    Desk,
    cancel,
    deliver,
    finish,
    look,
    reopen,
    settle,
)
from lambda_handlers.protocol.errors import (
    DeploymentExists,
    JobFailed,
    JobStopped,
    QuotaExceeded,
    TransientServiceError,
)
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.names import job_name, request_digest
from lambda_handlers.protocol.outcomes import (
    ENDED,
    lacking,
    leaves_job,
    moves_on,
    outcome_of,
    refused,
    timed_out,
)
from lambda_handlers.protocol.registry import JobRegistry, JobRow, RowStatus
from lambda_handlers.protocol.run import Run
from lambda_handlers.protocol.stepfunctions import StepFunctions, TaskTokens
from lambda_handlers.protocol.store import ConditionFailed, attempts

STEP_FUNCTIONS: Final = StepFunctions()
_NAMES_TRIED: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class _Submission:
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

    def name(self, attempt: int) -> str:
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
        )

    def is_of(self, row: JobRow) -> bool:
        """Say whether a row's job is of one of these requests."""
        return row.choice < len(self.requests) and row.digest == self.digests[row.choice]

    def tags(self, row: JobRow) -> dict[str, str]:
        return {
            CUSTOMIZATION_TAG: self.customization,
            RUN_TAG: self.run.id,
            STAGE_TAG: self.stage,
            DIGEST_TAG: row.digest,
        }


def submit(
    *,
    registry: JobRegistry,
    lock: RunLock,
    clock: Clock,
    ledger: Ledger,
    driver: JobDriver,
    run: Run,
    stage: str,
    slug: str,
    customization: str,
    token: str,
    deadline_seconds: int,
    requests: Sequence[Mapping[str, Any]],
    retry: int = 0,
    name: str = "",
    tasks: TaskTokens = STEP_FUNCTIONS,
) -> JobRow:
    """Have the stage's job run once and its outcome sent to `token`, however often the call is repeated.

    `requests` are choices, the first the one wanted. A try after an attempt that ended for lack of capacity or quota
    takes the next one, wrapping round; any other keeps that of the attempt before it. `retry` is the waiting state's
    `$$.State.RetryCount`: the token of its newest try is the one that is told. Raise LockLost or JobStopped when the
    run is over, TransientServiceError when an earlier attempt has yet to end, QuotaExceeded where there is no choice.
    `name` is that of what is made where users chose it, in every attempt; DeploymentExists if another has it.
    """
    desk = Desk(registry=registry, clock=clock, tasks=tasks, ledger=ledger, drivers=lambda _: driver)
    wanted = _Submission(
        run=run,
        lock=lock,
        driver=driver,
        stage=stage,
        slug=slug,
        customization=customization,
        token=token,
        order=retry,
        deadline_seconds=deadline_seconds,
        requests=requests,
        digests=[request_digest(request) for request in requests],
        fixed_name=name,
    )
    row = _intend(desk, wanted)
    if row.token != token:
        return row
    if row.status is RowStatus.CLAIMED:
        return deliver(desk, row)
    if row.status is RowStatus.PENDING:
        made = _create_or_adopt(desk, wanted, row)
        if made is None:
            return desk.registry.get(run.id, stage) or row
        row = _open(desk, wanted, made)
    request = dict(wanted.requests[row.choice])
    desk.record(row, "job_submitted", {**row.facts(), "request": request, "request_digest": row.digest})
    return look(desk, row) if row.waits else row


def complete(
    *,
    registry: JobRegistry,
    clock: Clock,
    ledger: Ledger,
    drivers: Callable[[str], JobDriver],
    job_name: str,
    tasks: TaskTokens = STEP_FUNCTIONS,
) -> JobRow | None:
    """Take an event about a job as the hint to look at it; None if no row has a job of that name.

    An event may be early, late, repeated or about an earlier attempt: what the service describes decides.
    """
    desk = Desk(registry=registry, clock=clock, tasks=tasks, ledger=ledger, drivers=drivers)
    row = registry.by_name(job_name)
    if row is None or row.status is RowStatus.CLOSED:
        return row
    if row.waits:
        return look(desk, row)
    return deliver(desk, row) if row.status is RowStatus.CLAIMED else settle(desk, row)


def clean_up(desk: Desk, row: JobRow, *, undo: bool = False) -> JobRow:
    """Cancel the row and bring its job to its end, as far as that can be done now; the reconciler does the rest.

    `undo`: what a job that has ended left is undone too, by its driver's `stop`, while there is any of it.
    """
    row = cancel(desk, row)
    if undo and row.status is RowStatus.CLOSED and row.outcome:
        driver = desk.drivers(row.kind)
        status = driver.describe(row).status
        if status is JobStatus.FAILED:
            driver.stop(row)
        elif status is JobStatus.COMPLETED:
            row = reopen(desk, row)
    return row if row.status is RowStatus.CLOSED else settle(desk, row)


def attend(desk: Desk, row: JobRow) -> JobRow:
    """Do what is due for an open row of a run that goes on: send, complete, enforce the deadline, stop."""
    if row.status is RowStatus.CLAIMED:
        return deliver(desk, row)
    if not row.waits:
        return settle(desk, row)
    state = desk.drivers(row.kind).describe(row)
    now = desk.epoch()
    if state.status in ENDED or (state.status is JobStatus.GONE and now >= row.submitted_at + SUBMIT_GRACE_SECONDS):
        return finish(desk, replace(row, arn=state.arn or row.arn), outcome_of(row, state))
    return finish(desk, row, timed_out(row)) if now >= row.deadline else row


def _intend(desk: Desk, wanted: _Submission) -> JobRow:
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


def _intended(desk: Desk, wanted: _Submission, old: JobRow | None) -> JobRow:
    if old is None:
        return _attempt(desk, wanted)
    if old.status is RowStatus.CANCELLED or (old.status is RowStatus.CLOSED and old.outcome is None):
        raise JobStopped(f"Run {wanted.run.id} is over; stage {wanted.stage} starts nothing more.")
    newest = replace(old, token=wanted.token, submission=wanted.order, submitted_at=desk.epoch())
    if wanted.is_of(old) and old.outcome is None:
        return newest
    if wanted.is_of(old) and old.outcome and old.outcome.succeeded:
        return replace(newest, status=RowStatus.CLAIMED, delivered=None, closed_at=0)
    _require_ended(wanted.driver, old)
    return _attempt(desk, wanted, after=old, error=old.outcome.error if old.outcome else "")


def _attempt(desk: Desk, wanted: _Submission, *, after: JobRow | None = None, error: str = "") -> JobRow:
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
    )


def _require_ended(driver: JobDriver, row: JobRow) -> None:
    """Stop what is left of an attempt that another one is to follow; raise TransientServiceError until it has ended."""
    if row.status is RowStatus.CLOSED:
        return
    state = driver.describe(row)
    if state.status is JobStatus.RUNNING:
        driver.stop(row)
        raise TransientServiceError(f"{row.kind} {row.job_name}, an earlier attempt, is still stopping.")


def _create_or_adopt(desk: Desk, wanted: _Submission, row: JobRow) -> JobRow | None:
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


def _is_ours(wanted: _Submission, row: JobRow, state: JobState) -> bool:
    if state.status is JobStatus.GONE:
        raise TransientServiceError(f"{row.kind} {row.job_name} exists but cannot be described yet.")
    live = state.status in (JobStatus.RUNNING, JobStatus.COMPLETED)
    return live and wanted.driver.digest_of(row.job_name) == row.digest


def _next_attempt(desk: Desk, wanted: _Submission, row: JobRow, state: JobState) -> JobRow:
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


def _open(desk: Desk, wanted: _Submission, made: JobRow) -> JobRow:
    """Move PENDING to OPEN; if the run was given up meanwhile, stop the job just made."""
    for _ in attempts():
        row = desk.registry.get(made.run_id, made.stage)
        if row is None or row.attempt != made.attempt or _given_up(row):
            wanted.driver.stop(made)
            raise JobStopped(f"Run {made.run_id} ended while {made.kind} {made.job_name} was being created.")
        if row.status is not RowStatus.PENDING:
            return row
        try:
            return desk.registry.save(replace(row, status=RowStatus.OPEN, arn=made.arn), replacing=row)
        except ConditionFailed:
            continue
    raise AssertionError


def _given_up(row: JobRow) -> bool:
    cancelled = row.status is RowStatus.CANCELLED or (row.status is RowStatus.CLOSED and row.outcome is None)
    return cancelled or (row.outcome is not None and leaves_job(row.outcome))
