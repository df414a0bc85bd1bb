"""The one way the workflow waits for a job: submit it, complete it, clean it up, reconcile what was missed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from lambda_handlers.jobs.driver import JobDriver, JobStatus
from lambda_handlers.protocol.clock import Clock
from lambda_handlers.protocol.delivery import (
    Desk,
    cancel,
    deliver,
    finish,
    look,
    remove_earlier,
    reopen,
    settle,
    under_way,
)
from lambda_handlers.protocol.errors import TransientServiceError
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.names import request_digest
from lambda_handlers.protocol.outcomes import ENDED, outcome_of, timed_out
from lambda_handlers.protocol.registry import JobRegistry, JobRow, RowStatus
from lambda_handlers.protocol.run import Run
from lambda_handlers.protocol.stepfunctions import StepFunctions, TaskTokens
from lambda_handlers.protocol.submitting import Submission, create_or_adopt, intend, open_row
from lambda_handlers.protocol.taking_over import hand_over

STEP_FUNCTIONS: Final = StepFunctions()


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
    contents: Sequence[Mapping[str, Any]] = (),
    output_is_there: Callable[[Mapping[str, Any]], bool] = lambda _: False,
    tasks: TaskTokens = STEP_FUNCTIONS,
) -> JobRow:
    """Have the stage's job run once and its outcome sent to `token`, however often the call is repeated.

    `requests` are choices, the first the one wanted. A try after an attempt that ended for lack of capacity or quota
    takes the next one, wrapping round; any other keeps that of the attempt before it. `retry` is the waiting state's
    `$$.State.RetryCount`: the token of its newest try is the one that is told. Raise LockLost or JobStopped when the
    run is over, TransientServiceError when an earlier attempt has yet to end, QuotaExceeded where there is no choice.
    `name` is that of what is made where users chose it, in every attempt; DeploymentExists if another has it.
    `contents` has for each request what it names by its place alone: by all of it a run that resumes this one knows a
    job that it need not have run again. Such a job is taken over once `output_is_there`, or while it lives.
    """
    desk = Desk(registry=registry, clock=clock, tasks=tasks, ledger=ledger, drivers=lambda _: driver)
    wanted = Submission(
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
        contents=contents,
        output_is_there=output_is_there,
    )
    row = intend(desk, wanted)
    if row.token != token:
        return row
    if row.origin and row.waits:
        hand_over(desk, run.resumes, row)
        return _looked_at(desk, row)
    if row.status is RowStatus.CLAIMED:
        return deliver(desk, row)
    if row.status is RowStatus.PENDING:
        made = create_or_adopt(desk, wanted, row)
        if made is None:
            return desk.registry.get(run.id, stage) or row
        row = open_row(desk, wanted, made)
    request = dict(wanted.requests[row.choice])
    desk.record(row, "job_submitted", {**row.facts(), "request": request, "request_digest": row.digest})
    return _looked_at(desk, row) if row.waits else row


def _looked_at(desk: Desk, row: JobRow) -> JobRow:
    """Look at a job that may have ended before its row was open, which no event will tell of.

    A service that cannot answer now fails no state that waits already: the reconciler looks at every open row.
    """
    try:
        return look(desk, row)
    except TransientServiceError:
        return row


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
    if row is None or row.rests:
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
    return row if row.rests else settle(desk, row)


def attend(desk: Desk, row: JobRow) -> JobRow:
    """Do what is due for an open row of a run that goes on: send, complete, enforce the deadline, stop."""
    if row.status is RowStatus.CLAIMED:
        return deliver(desk, row)
    if not row.waits:
        return settle(desk, row)
    state = desk.drivers(row.kind).describe(row)
    if under_way(desk, row):
        remove_earlier(desk, row)
    if state.status in ENDED or (state.status is JobStatus.GONE and not under_way(desk, row)):
        return finish(desk, replace(row, arn=state.arn or row.arn), outcome_of(row, state))
    return finish(desk, row, timed_out(row, state.cause)) if desk.epoch() >= row.deadline else row
