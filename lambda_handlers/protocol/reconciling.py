"""The scheduled pass over everything that is open: whatever an event, an answer or a function missed is made good."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from lambda_handlers.protocol import runs
from lambda_handlers.protocol.closing import Closer, ended
from lambda_handlers.protocol.delivery import cancel, closed, settle
from lambda_handlers.protocol.errors import TransientServiceError
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.registry import JobRow, RowStatus
from lambda_handlers.protocol.runs import OpenRun
from lambda_handlers.protocol.stepfunctions import Executions, ExecutionState
from lambda_handlers.protocol.waiting import attend, clean_up

_log = logging.getLogger(__name__)


@dataclass(kw_only=True, slots=True)
class Reconciler:
    """Make one pass. A fault met at one run or row does not keep the others from their turn."""

    closer: Closer
    executions: Executions
    projection: Callable[[], bool] | None = None
    """Repairs the pointer's projection; returns whether it was wrong."""
    _states: dict[str, ExecutionState] = field(default_factory=dict)
    _problems: list[str] = field(default_factory=list)

    def run(self) -> Mapping[str, Any]:
        """Close runs whose execution has ended, attend to every row that is open or due, repair the projection.

        Return the counts; raise TransientServiceError at the end if something could not be done.
        """
        book = runs.open_runs(self.closer.control).values()
        closed = sum(self._attempt(partial(self._close_if_ended, run), run.run_id) for run in book)
        rows = self.closer.desk.registry.open_rows()
        changed = sum(self._attempt(partial(self._attend, row), f"{row.kind} {row.job_name}") for row in rows)
        due = self.closer.desk.registry.due_rows(self.closer.desk.epoch())
        changed += sum(self._attempt(partial(self._release, row), f"{row.kind} {row.job_name}") for row in due)
        repaired = self._attempt(self.projection, "pointer") if self.projection else False
        if self._problems:
            raise TransientServiceError("The pass left things undone.", problems=self._problems)
        return {"runs_closed": closed, "rows": len(rows), "rows_changed": changed, "pointer_repaired": repaired}

    def _close_if_ended(self, run: OpenRun) -> bool:
        state = self._execution(run.execution_arn)
        if not state.ended:
            return False
        self.closer.close(ended(run.run_id, state.status, state.error, state.cause))
        return True

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
        if RunLock(control).holder():
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
