"""Take the answer of a person: who it is, whether they may, once and for all.

The order is record, then ledger, then token. Whatever is lost in between is made good by the same answer given again,
by anybody who may answer, and at the deadline at the latest (settling.py).
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from lambda_handlers.approval.approvals import (
    APPROVED,
    EXPIRED,
    REJECTED,
    AnswerRefused,
    Approval,
    Approvals,
    Decision,
)
from lambda_handlers.approval.attestation import Attestation
from lambda_handlers.approval.binding import APPROVE, REJECT, START, Statement
from lambda_handlers.approval.people import Identity
from lambda_handlers.approval.words import read_answer
from lambda_handlers.protocol.clock import Clock, iso
from lambda_handlers.protocol.errors import LedgerSealed
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.protocol.runs import open_runs
from lambda_handlers.protocol.stepfunctions import TaskTokens
from lambda_handlers.protocol.store import ConditionFailed, ItemStore, attempts

_DECISIONS: Final = {APPROVE: APPROVED, REJECT: REJECTED}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answering:
    """Answers for the runs of one state machine, whose ARN is `workflow`."""

    control: ItemStore
    ledger: Ledger
    tasks: TaskTokens
    clock: Clock
    attestation: Attestation
    workflow: str

    def answer(self, event: object) -> dict[str, Any]:
        """Return what became of an answer: `accepted` with the decision, or not, with `error` and `cause`."""
        try:
            return {"accepted": True, **self._answer(event)}
        except AnswerRefused as refused:
            _log.info("an answer was refused: %s", refused.name)
            return {"accepted": False, "error": refused.name, "cause": refused.message}

    def _answer(self, event: object) -> dict[str, Any]:
        run_id, decision, reason, url = read_answer(event)
        statement = Statement(workflow=self.workflow, run_id=run_id, decision=decision, reason=reason)
        identity = self.attestation.identity(url, statement)
        if decision == START:
            kept = Approvals(self.control).note_requester(run_id, identity.arn, self.clock.now())
            return {"run_id": run_id, "requester": kept}
        approval, repeated = self._recorded(run_id, identity, _DECISIONS[decision], reason)
        return {"run_id": run_id, "repeated": repeated, **self._told(approval).as_dict()}

    def _recorded(self, run_id: str, identity: Identity, decision: str, reason: str) -> tuple[Approval, bool]:
        """Record the decision, unless the same one is recorded; raise AnswerRefused for any other answer."""
        approvals = Approvals(self.control)
        for _ in attempts():
            approval = approvals.get(run_id)
            if approval is None:
                raise AnswerRefused("NotWaiting", f"Run {run_id} does not wait for approval: it has asked for none.")
            _check_person(approval, identity)
            if approval.decision:
                _check_same(approval, decision)
                return approval, True
            self._check_waiting(approval)
            made = Decision(decision=decision, by=identity.arn, reason=reason, at=iso(self.clock.now()))
            with suppress(ConditionFailed):
                return approvals.save(replace(approval, decision=made), replacing=approval), False
        raise AssertionError

    def _check_waiting(self, approval: Approval) -> None:
        if self.clock.now().timestamp() >= approval.deadline:
            raise AnswerRefused(
                "Expired", f"Run {approval.run_id} waited for an answer until {approval.deadline_text}: it is too late."
            )
        if approval.run_id not in open_runs(self.control):
            raise AnswerRefused("NotWaiting", f"Run {approval.run_id} waits no longer: it has ended without an answer.")

    def _told(self, approval: Approval) -> Decision:
        """Record the decision in the ledger and tell the waiting state, unless that was done."""
        decision = approval.decision
        assert decision is not None
        if not approval.token:
            return decision
        with suppress(LedgerSealed):
            self.ledger.append(
                run_id=approval.run_id,
                event_id="approval-answered",
                type="approval_answered",
                detail={**decision.as_dict(), "requester": approval.requester},
            )
        taken = self.tasks.succeed(approval.token, decision.as_dict())
        with suppress(ConditionFailed):  # whoever changed it has told the state, or will
            Approvals(self.control).save(replace(approval, token=""), replacing=approval)
        if not taken and approval.run_id not in open_runs(self.control):
            raise AnswerRefused("NotWaiting", f"Run {approval.run_id} ended before your answer reached it.")
        return decision


def _check_person(approval: Approval, identity: Identity) -> None:
    rules = approval.rules
    if not identity.may_answer(rules.approvers):
        raise AnswerRefused(
            "NotAllowed",
            f"{identity.arn} may not answer for run {approval.run_id}. Allowed: {', '.join(rules.approvers)}.",
        )
    if approval.requester and not rules.self_approval and identity.same_person(Identity.parse(approval.requester)):
        raise AnswerRefused(
            "SelfApproval",
            f"Run {approval.run_id} was asked for by {approval.requester}, who may not answer for it themselves, nor "
            f"may anybody who may be them, such as another session of the same role (you are {identity.arn}): ask "
            "another approver.",
        )


def _check_same(approval: Approval, decision: str) -> None:
    known = approval.decision
    assert known is not None
    if known.decision == EXPIRED:
        raise AnswerRefused("Expired", f"Run {approval.run_id} waits no longer. {known.reason}")
    if known.decision != decision:
        raise AnswerRefused(
            "AlreadyAnswered", f"Run {approval.run_id} has its answer, which stays as it is. {known.sentence}"
        )
