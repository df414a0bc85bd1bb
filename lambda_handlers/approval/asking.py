"""Ask for approval: keep the token and record, which tells people. The state then waits for its token."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lambda_handlers.approval.approvals import Approval, Approvals, Rules
from lambda_handlers.approval.message import evidence
from lambda_handlers.protocol.clock import Clock, iso
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.run import Run
from lambda_handlers.protocol.stepfunctions import TaskTokens
from lambda_handlers.protocol.store import ConditionFailed, ItemStore, attempts

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """Asks people whether a candidate may become production."""

    control: ItemStore
    ledger: Ledger
    tasks: TaskTokens
    clock: Clock

    def ask(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Put the approval of a run, or its new token where the state tries again, and record it.

        The token of a try that is older than the one known changes nothing. An answer that came between two tries is
        sent to the new token. Raises LockLost for a run that is being closed.
        """
        run = Run.parse(event["run"])
        RunLock(self.control).check(run.id, run.lock_generation)
        approval = self._kept(run, Rules.parse(event["config"]), str(event["token"]), int(event["retry"]))
        if approval.decision:
            self.tasks.succeed(approval.token, approval.decision.as_dict())
            return {"decided": approval.decision.decision}
        self.ledger.append(
            run_id=run.id,
            event_id="approval-requested",
            type="approval_requested",
            detail={
                **evidence(event["result"]),
                "deadline": approval.deadline,
                "requester": approval.requester,
                "approvers": list(approval.rules.approvers),
                "self_approval": approval.rules.self_approval,
            },
        )
        _log.info("approval of run %s was asked for until %s", run.id, approval.deadline_text)
        return {"deadline": approval.deadline}

    def _kept(self, run: Run, rules: Rules, token: str, submission: int) -> Approval:
        approvals = Approvals(self.control)
        for _ in attempts():
            known = approvals.get(run.id)
            if known and known.submission >= submission and known.token:
                return known
            try:
                if known:
                    return approvals.save(replace(known, token=token, submission=submission), replacing=known)
                return approvals.save(self._new(run, rules, token, submission), replacing=None)
            except ConditionFailed:
                continue
        raise AssertionError

    def _new(self, run: Run, rules: Rules, token: str, submission: int) -> Approval:
        now = self.clock.now()
        return Approval(
            run_id=run.id,
            asked_at=iso(now),
            deadline=int(now.timestamp()) + rules.deadline_seconds,
            rules=rules,
            requester=Approvals(self.control).requester(run.id),
            submission=submission,
            token=token,
        )
