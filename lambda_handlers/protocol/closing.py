"""The end of every run, on every path: jobs stopped, record closed, claim settled, lock released."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambda_handlers.deployment.stages import TEMPORARY, UNLESS_PROMOTED
from lambda_handlers.protocol import runs
from lambda_handlers.protocol.delivery import Desk
from lambda_handlers.protocol.failures import Failure, explain
from lambda_handlers.protocol.fingerprint import settle
from lambda_handlers.protocol.ledger import RUN_CLOSED, LedgerEvent, Mirror, read
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.names import canonical
from lambda_handlers.protocol.pointer import POINTER_MOVED, Pointer
from lambda_handlers.protocol.queueing import Queue
from lambda_handlers.protocol.registry import JobRow
from lambda_handlers.protocol.store import ItemStore
from lambda_handlers.protocol.summary import reason, summarize
from lambda_handlers.protocol.waiting import clean_up

_log = logging.getLogger(__name__)
_UNFINISHED = {"ABORTED": "The execution was aborted.", "TIMED_OUT": "The execution ran out of time."}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """Say how a run ended: `error` as Step Functions caught it, `result` as far as its state had come."""

    run_id: str
    status: str
    error: Mapping[str, Any] | None = None
    result: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Closer:
    """Close runs. Closing again, after an interruption or for another reason, keeps the first ending."""

    desk: Desk
    control: ItemStore
    events: ItemStore
    archive: Mirror

    def close(self, ending: Ending) -> dict[str, Any]:
        """Close the run and return how it ended: status, run_id, error, cause, and what is known of it."""
        lock = RunLock(self.control)
        lock.fence(ending.run_id)
        rows = self.desk.registry.of_run(ending.run_id)
        account = _account(ending, rows)
        undone = self._undone(ending.run_id, rows)
        jobs = [self._clean_up(row, undo=row.stage in undone) for row in rows]
        self.desk.ledger.append(
            run_id=ending.run_id,
            event_id=RUN_CLOSED,
            type=RUN_CLOSED,
            detail={**account, "jobs": [row.facts() for row in jobs]},
        )
        recorded = read(self.events, ending.run_id)
        final = dict(next(event.detail for event in recorded if event.type == RUN_CLOSED))
        settle(self.control, ending.run_id, str(final["status"]))
        self._write_record(ending.run_id, final, recorded)
        lock.release(ending.run_id, self.desk.clock.now())
        self._tell_next()
        runs.close_run(self.control, ending.run_id)
        return final

    def _tell_next(self) -> None:
        """Tell whoever has the lock now; should that fail, the reconciler does."""
        try:
            Queue(store=self.control, tasks=self.desk.tasks).tell()
        except Exception:
            _log.exception("the next run could not be told of its turn yet")

    def _undone(self, run_id: str, rows: Sequence[JobRow]) -> tuple[str, ...]:
        """Return the stages of which nothing stays: what serves models stays once the pointer was moved to it."""
        if any(row.stage in UNLESS_PROMOTED for row in rows) and not self._promoted(run_id):
            # What the pointer comes to show now must not be deleted, nor may it come to show what will be.
            Pointer(self.control).settle()
        return TEMPORARY if self._promoted(run_id) else (*TEMPORARY, *UNLESS_PROMOTED)

    def _promoted(self, run_id: str) -> bool:
        target = Pointer(self.control).read()
        now = target is not None and target.run_id == run_id
        return now or any(event.type == POINTER_MOVED for event in read(self.events, run_id))

    def _clean_up(self, row: JobRow, *, undo: bool) -> JobRow:
        try:
            return clean_up(self.desk, row, undo=undo)
        except Exception:
            # The row stays open, so that the reconciler goes on stopping; the rest of the run is closed regardless.
            _log.exception("%s %s could not be stopped yet", row.kind, row.job_name)
            return self.desk.registry.get(row.run_id, row.stage) or row

    def _write_record(self, run_id: str, final: Mapping[str, Any], recorded: Sequence[LedgerEvent]) -> None:
        record = {**final, "ledger": [event.as_dict() for event in recorded]}
        self.archive.put(f"runs/{run_id}/record.json", canonical(record).encode())


def _account(ending: Ending, rows: Sequence[JobRow]) -> dict[str, Any]:
    failure = explain(ending.error, rows) or _without_error(ending)
    return {
        "run_id": ending.run_id,
        "status": ending.status,
        "error": failure.error if failure else None,
        "cause": failure.cause if failure else reason(ending.status, ending.result),
        **summarize(ending.result),
    }


def _without_error(ending: Ending) -> Failure | None:
    if ending.status in _UNFINISHED:
        return Failure(error=ending.status, cause=_UNFINISHED[ending.status])
    return Failure(error="States.TaskFailed", cause="No cause was given.") if ending.status == "FAILED" else None


def ending_of(event: Mapping[str, Any]) -> Ending:
    """Read what `close_run` is called with: the workflow's own payload, or an execution's status change event."""
    if "detail-type" in event:
        detail = event["detail"]
        return ended(str(detail["name"]), str(detail["status"]), detail.get("error"), detail.get("cause"))
    return Ending(
        run_id=str(event["execution"]["name"]),
        status=str(event["status"]),
        error=event.get("error"),
        result=event.get("result"),
    )


def ended(run_id: str, status: str, error: str | None, cause: str | None) -> Ending:
    """Return the ending of an execution that has ended by itself."""
    given = error or cause
    caught = {"Error": error or status, "Cause": cause or _UNFINISHED.get(status, "")} if given else None
    return Ending(run_id=run_id, status=status, error=caught)
