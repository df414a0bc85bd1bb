"""What a run that resumes another one takes over of its jobs: the outcome of one that has completed, or one that lives.

An earlier run's rows are those of the same customization, since each has a registry of its own, and the plan let no run
be resumed that is still open.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lambda_handlers.jobs.driver import JobStatus
from lambda_handlers.protocol.delivery import Desk, closed
from lambda_handlers.protocol.outcomes import outcome_of
from lambda_handlers.protocol.registry import JobRow, Outcome, RowStatus
from lambda_handlers.protocol.resume import (
    JOB_ADOPTED,
    differing,
    input_hashes,
    other_inputs,
    record_not_taken,
    record_taken,
)
from lambda_handlers.protocol.store import ConditionFailed, attempts

if TYPE_CHECKING:
    from lambda_handlers.protocol.submitting import Submission


class _NotTakenError(Exception):
    """Say in words why what an earlier run has done does not serve."""


def inputs_of(wanted: Submission, choice: int) -> dict[str, str]:
    """Return what the job of a choice is made of, by hash; empty where no later run may take it."""
    if not wanted.contents:
        return {}
    parts = {**wanted.contents[choice], "request": wanted.requests[choice]}
    return input_hashes(parts, {wanted.run.id, *wanted.run.resumes})


def take_over(desk: Desk, wanted: Submission) -> JobRow | None:
    """Return the row of a job of an earlier run that serves this one, or None, having recorded why there is none.

    The row is claimed, with its outcome, for a job that has completed and whose output is still there; it is open for
    one that runs and is not being stopped. Raise LockLost when the run is over.
    """
    if not wanted.contents or not wanted.run.resumes:
        return None
    wanted.lock.check(wanted.run.id, wanted.run.lock_generation)
    reasons: dict[str, str] = {}
    for run_id in wanted.run.resumes:
        try:
            row = _from(desk, wanted, desk.registry.get(run_id, wanted.stage))
        except _NotTakenError as reason:
            reasons[run_id] = str(reason)
            continue
        _record(desk, row)
        return row
    record_not_taken(desk.ledger, wanted.run.id, wanted.stage, reasons)
    return None


def hand_over(desk: Desk, run_ids: tuple[str, ...], row: JobRow) -> None:
    """Close the rows by which earlier runs would bring the adopted job to its end."""
    for run_id in run_ids:
        for _ in attempts():
            old = desk.registry.get(run_id, row.stage)
            if old is None or old.job_name != row.job_name or old.status is RowStatus.CLOSED:
                break
            try:
                desk.registry.save(closed(desk, old), replacing=old)
            except ConditionFailed:
                continue
            break


def _record(desk: Desk, row: JobRow) -> None:
    """Record whose job the row is about to have: before it has it, since anybody may tell the state from then on."""
    if row.outcome is None:
        desk.record(row, JOB_ADOPTED, row.facts())
        return
    facts = {"job": row.job_name, "kind": row.kind, "arn": row.arn, "output": dict(row.outcome.output)}
    record_taken(desk.ledger, row.run_id, row.stage, from_run=row.origin, detail=facts)


def _from(desk: Desk, wanted: Submission, old: JobRow | None) -> JobRow:
    if old is None:
        raise _NotTakenError("nothing is known of a job")
    if old.kind != wanted.driver.kind:
        raise _NotTakenError(f"it was a {old.kind}")
    choice = _choice(wanted, old)
    outcome, arn = _outcome(wanted, old)
    if outcome and not wanted.output_is_there(outcome.output):
        raise _NotTakenError(f"the output of {old.job_name} is no longer there")
    now = desk.epoch()
    return replace(
        old,
        run_id=wanted.run.id,
        execution_arn=wanted.run.execution_arn,
        origin=old.origin or old.run_id,
        attempt=1,
        arn=arn,
        token=wanted.token,
        submission=wanted.order,
        submitted_at=now,
        deadline=now + wanted.deadline_seconds,
        choice=choice,
        choices=len(wanted.requests),
        lacking=(),
        status=RowStatus.CLAIMED if outcome else RowStatus.OPEN,
        outcome=outcome,
        delivered=None,
        closed_at=0,
        # Where a job has completed, nothing of it is left to be removed on behalf of this run.
        place={} if outcome else old.place,
        earlier=() if outcome else old.earlier,
        version=0,
    )


def _choice(wanted: Submission, old: JobRow) -> int:
    """Return which of the requests the job was made of."""
    found = [differing(inputs_of(wanted, choice), old.inputs) for choice in range(len(wanted.requests))]
    nearest = min(found, key=len)
    if nearest:
        raise _NotTakenError(other_inputs(nearest))
    return found.index(nearest)


def _outcome(wanted: Submission, old: JobRow) -> tuple[Outcome | None, str]:
    """Return outcome and ARN of a job that has completed; no outcome for one that lives and that nobody else has."""
    if old.outcome and old.outcome.succeeded:
        return old.outcome, old.arn
    if old.outcome:
        raise _NotTakenError(f"{old.job_name} ended with {old.outcome.error}")
    state = wanted.driver.describe(old)
    if state.status is JobStatus.COMPLETED:
        return outcome_of(old, state), state.arn or old.arn
    # A closed row of a job that runs is that of a job which another run has adopted.
    if state.status is JobStatus.RUNNING and not state.stopping and old.status is RowStatus.CANCELLED:
        return None, state.arn or old.arn
    what = "is being stopped" if state.status is JobStatus.RUNNING else f"is {state.status}"
    raise _NotTakenError(f"{old.job_name} {what}")
