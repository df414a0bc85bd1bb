"""The scheduled pass over everything that is open: whatever an event, an answer or a function missed is made good."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from lambda_handlers.protocol import runs
from lambda_handlers.protocol.closing import Closer, ended
from lambda_handlers.protocol.delivery import cancel, closed, settle
from lambda_handlers.protocol.errors import TransientServiceError
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.queueing import Queue
from lambda_handlers.protocol.registry import JobRow, RowStatus
from lambda_handlers.protocol.runs import OpenRun
from lambda_handlers.protocol.stepfunctions import ExecutionState, StoppableExecutions
from lambda_handlers.protocol.waiting import attend, clean_up

TOO_OLD: Final = "RunTooOld"
"""The error with which an execution is stopped."""
_log = logging.getLogger(__name__)


@dataclass(kw_only=True, slots=True)
class Reconciler:
    """Make one pass. A fault met at one run or row does not keep the others from their turn."""

    closer: Closer
    executions: StoppableExecutions
    max_age: timedelta | None = None
    """A run that is open for longer is ended; None: however long it takes."""
    projection: Callable[[], bool] | None = None
    """Repairs the pointer's projection; returns whether it was wrong."""
    dispatch: Callable[[], bool] | None = None
    """Has runs started for what has arrived; returns whether anything waits."""
    _states: dict[str, ExecutionState] = field(default_factory=dict)
    _problems: list[str] = field(default_factory=list)

    def run(self) -> Mapping[str, Any]:
        """Close runs whose execution has ended, end those too old, pass the lock on, attend to every row open or due.

        Repair the pointer's projection too, and have runs started for what has arrived.

        Return the counts; raise TransientServiceError at the end if something could not be done.
        """
        book = runs.open_runs(self.closer.control).values()
        closed = sum(self._attempt(partial(self._close_if_ended, run), run.run_id) for run in book)
        passed_on = self._attempt(self._pass_on, "lock")
        rows = self.closer.desk.registry.open_rows()
        changed = sum(self._attempt(partial(self._attend, row), f"{row.kind} {row.job_name}") for row in rows)
        due = self.closer.desk.registry.due_rows(self.closer.desk.epoch())
        changed += sum(self._attempt(partial(self._release, row), f"{row.kind} {row.job_name}") for row in due)
        repaired = self._attempt(self.projection, "pointer") if self.projection else False
        dispatched = self._attempt(self.dispatch, "arrivals") if self.dispatch else False
        if self._problems:
            raise TransientServiceError("The pass left things undone.", problems=self._problems)
        return {
            "runs_closed": closed,
            "lock_passed_on": passed_on,
            "rows": len(rows),
            "rows_changed": changed,
            "pointer_repaired": repaired,
            "dispatched": dispatched,
        }

    def _close_if_ended(self, run: OpenRun) -> bool:
        state = self._execution(run.execution_arn)
        if not state.ended:
            if not self._too_old(run):
                return False
            self.executions.stop(run.execution_arn, TOO_OLD, f"The run was open for longer than {self.max_age}.")
            del self._states[run.execution_arn]
            state = self._execution(run.execution_arn)
            if not state.ended:
                return False  # it ends in a moment: the next pass closes it, should nobody else
        self.closer.close(ended(run.run_id, state.status, state.error, state.cause))
        return True

    def _too_old(self, run: OpenRun) -> bool:
        opened, now = datetime.fromisoformat(run.opened_at), self.closer.desk.clock.now()
        return self.max_age is not None and now - opened > self.max_age

    def _pass_on(self) -> bool:
        """Take the lock from who is gone, send away who waited too long, tell whoever has not been told."""
        control, desk = self.closer.control, self.closer.desk
        recovered = RunLock(control).recover(desk.clock.now())
        return bool(Queue(store=control, tasks=desk.tasks).tell()) or recovered

    def _attend(self, row: JobRow) -> bool:
        desk = self.closer.desk
        if row.status is RowStatus.CANCELLED:
            after = clean_up(desk, row)
        elif self._execution(row.execution_arn).ended:
            after = clean_up(desk, cancel(desk, row))
        else:
            after = attend(desk, row)
        return after.version != row.version

    def _release(self, row: JobRow) -> bool:
        """Delete what was held and nobody has come to need: a later run may have given it another model."""
        desk, control = self.closer.desk, self.closer.control
        if RunLock(control).turns().holders:
            # That run may be about to bring it into production.
            return False
        target = Pointer(control).read()
        shown = target is not None and row.arn in {target.arn, *(each.arn for each in target.history)}
        after = desk.registry.save(closed(desk, row), replacing=row) if shown else settle(desk, row)
        return after.version != row.version

    def _execution(self, arn: str) -> ExecutionState:
        if arn not in self._states:
            self._states[arn] = self.executions.describe(arn)
        return self._states[arn]

    def _attempt(self, step: Callable[[], bool], what: str) -> bool:
        try:
            return step()
        except Exception as error:
            _log.exception("%s could not be reconciled", what)
            self._problems.append(f"{what}: {type(error).__name__}: {error}")
            return False
