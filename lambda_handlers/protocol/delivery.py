"""From the end of a job to the state that waits for it: claim the row, then send, then close."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from lambda_handlers.jobs.driver import JobDriver, JobStatus
from lambda_handlers.protocol.clock import Clock
from lambda_handlers.protocol.errors import LedgerSealed
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.protocol.outcomes import ENDED, leaves_job, outcome_of
from lambda_handlers.protocol.registry import JobRegistry, JobRow, Outcome, RowStatus
from lambda_handlers.protocol.stepfunctions import TaskTokens
from lambda_handlers.protocol.store import ConditionFailed, attempts

SUBMIT_GRACE_SECONDS: Final = 20 * 60
"""How long after a submission began its create call may still take effect: a function lives 15 minutes at most."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """Hold what the steps of waiting act on."""

    registry: JobRegistry
    clock: Clock
    tasks: TaskTokens
    ledger: Ledger
    drivers: Callable[[str], JobDriver]

    def epoch(self) -> int:
        """Return the present second."""
        return int(self.clock.now().timestamp())

    def record(self, row: JobRow, type: str, detail: Mapping[str, Any]) -> None:
        """Record an event of the row's job, unless the run's record is closed."""
        event_id = f"{type}/{row.stage}/{row.attempt}"
        with suppress(LedgerSealed):
            self.ledger.append(run_id=row.run_id, event_id=event_id, type=type, detail=detail)


def look(desk: Desk, row: JobRow) -> JobRow:
    """Describe the job of a waiting row and, if it has ended, tell the state that waits."""
    state = desk.drivers(row.kind).describe(row)
    if state.status not in ENDED:
        return row
    return finish(desk, replace(row, arn=state.arn or row.arn), outcome_of(row, state))


def finish(desk: Desk, row: JobRow, outcome: Outcome) -> JobRow:
    """Decide the outcome of a waiting row and tell the state; if it is decided already, tell that."""
    claimed = _claim(desk, row, outcome)
    return deliver(desk, claimed) if claimed.status is RowStatus.CLAIMED else claimed


def deliver(desk: Desk, row: JobRow) -> JobRow:
    """Record and send a claimed outcome, then close the row; sending the same outcome again does no harm."""
    outcome = row.outcome
    assert outcome is not None
    desk.record(row, "job_ended", {**_identity(row), **asdict(outcome)})
    taken = _send(desk.tasks, row.token, outcome)
    _log.info("outcome of %s %s: %s", row.kind, row.job_name, "delivered" if taken else "nobody waits")
    told = replace(row, delivered=taken, token="")
    if leaves_job(outcome) or row.place:
        stopping = _save(desk, replace(told, status=RowStatus.STOPPING), row)
        return settle(desk, stopping) if stopping.status is RowStatus.STOPPING else stopping
    return _save(desk, closed(desk, told), row)


def settle(desk: Desk, row: JobRow) -> JobRow:
    """Bring the job of a stopping or cancelled row to its end and close the row once it has ended.

    A job with a place is removed from it, ended or not, and the row closed once there is nothing of it. What cannot be
    deleted before a date is not tried before it: the row is held, and due then.
    """
    driver = desk.drivers(row.kind)
    state = driver.describe(row)
    if state.status is JobStatus.GONE:
        # The create call may still be under way: the row is all that will lead to the job it makes.
        if under_way(desk, row):
            return row
        remove_earlier(desk, row)
        return _save(desk, closed(desk, row), row)
    if row.place:
        return _stop(desk, row)
    left = state.status is JobStatus.COMPLETED and driver.stop_deletes
    if left and state.held_until > desk.epoch():
        held = replace(row, status=RowStatus.HELD, token="", held_until=state.held_until, arn=state.arn or row.arn)
        return _save(desk, held, row)
    if left or state.status is JobStatus.RUNNING:
        return _stop(desk, row)
    return _save(desk, closed(desk, replace(row, arn=state.arn or row.arn)), row)


def _stop(desk: Desk, row: JobRow) -> JobRow:
    """Stop the row's job, unless the row was read a while ago: by now a run that resumes this one may have the job."""
    present = _present(desk, row)
    if present.version == row.version:
        desk.drivers(row.kind).stop(row)
    return present


def under_way(desk: Desk, row: JobRow) -> bool:
    """Say whether a create call of the row's stage may still take effect."""
    return desk.epoch() < row.submitted_at + SUBMIT_GRACE_SECONDS


def remove_earlier(desk: Desk, row: JobRow) -> None:
    """Remove what late create calls of earlier attempts may have made of jobs that had been removed."""
    for name in row.earlier:
        earlier = replace(row, job_name=name, arn="")
        desk.drivers(row.kind).stop(earlier)


def cancel(desk: Desk, row: JobRow) -> JobRow:
    """Give up waiting for the row's job because its run is over; return the row as it then is."""
    for _ in attempts():
        if row.status is RowStatus.CANCELLED or row.rests or (row.status is RowStatus.STOPPING and row.place):
            return row
        # A job whose end is already known needs no stopping, and what it made may be in use.
        decided = row.status is RowStatus.CLAIMED and row.outcome is not None and not leaves_job(row.outcome)
        given_up = replace(row, status=RowStatus.CANCELLED, token="")
        if decided:
            given_up = replace(given_up, status=RowStatus.STOPPING) if row.place else closed(desk, row)
        try:
            return desk.registry.save(given_up, replacing=row)
        except ConditionFailed:
            row = _present(desk, row)
    raise AssertionError


def reopen(desk: Desk, row: JobRow) -> JobRow:
    """Give up what the closed row's job made: the row is open until there is nothing of it any more."""
    return _save(desk, replace(row, status=RowStatus.CANCELLED, token="", closed_at=0), row)


def closed(desk: Desk, row: JobRow) -> JobRow:
    """Return the row closed now, without its token."""
    return replace(row, status=RowStatus.CLOSED, token="", closed_at=desk.epoch())


def _claim(desk: Desk, row: JobRow, outcome: Outcome) -> JobRow:
    arn = row.arn
    for _ in attempts():
        if not row.waits:
            return row
        try:
            return desk.registry.save(replace(row, status=RowStatus.CLAIMED, outcome=outcome, arn=arn), replacing=row)
        except ConditionFailed:
            attempt, row = row.attempt, _present(desk, row)
            if row.attempt != attempt:
                return row
    raise AssertionError


def _send(tasks: TaskTokens, token: str, outcome: Outcome) -> bool:
    if outcome.succeeded:
        return tasks.succeed(token, outcome.output)
    return tasks.fail(token, outcome.error, outcome.cause)


def _save(desk: Desk, row: JobRow, old: JobRow) -> JobRow:
    """Save the row, or return the stored one if someone else has changed it: they go on from there."""
    try:
        return desk.registry.save(row, replacing=old)
    except ConditionFailed:
        return _present(desk, old)


def _present(desk: Desk, row: JobRow) -> JobRow:
    present = desk.registry.get(row.run_id, row.stage)
    assert present is not None, "rows are never deleted while anything acts on them"
    return present


def _identity(row: JobRow) -> dict[str, Any]:
    return {name: value for name, value in row.facts().items() if name not in ("status", "outcome")}
