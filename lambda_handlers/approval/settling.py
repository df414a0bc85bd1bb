"""End the waiting at its deadline. The item decides: what was recorded in time counts, later there is no recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lambda_handlers.approval.approvals import EXPIRED, Approval, Approvals, Decision, Rules
from lambda_handlers.protocol.clock import Clock, iso
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.protocol.run import Run
from lambda_handlers.protocol.store import ConditionFailed, ItemStore, attempts


def settle(event: Mapping[str, Any], *, control: ItemStore, ledger: Ledger, clock: Clock) -> dict[str, Any]:
    """Return the decision that the run goes on with once its state has waited in vain, and record that it did.

    A decision that was recorded but never reached the state, because a function died in between, is the run's.
    """
    run = Run.parse(event["run"])
    approval = _settled(Approvals(control), run.id, Rules.parse(event["config"]), clock)
    decision = approval.decision
    assert decision is not None
    if decision.decision == EXPIRED:
        ledger.append(
            run_id=run.id,
            event_id="approval-expired",
            type="approval_expired",
            detail={"deadline": approval.deadline, "reason": decision.reason},
        )
    return decision.as_dict()


def _settled(approvals: Approvals, run_id: str, rules: Rules, clock: Clock) -> Approval:
    for _ in attempts():
        known = approvals.get(run_id)
        if known and known.decision:
            return known
        now = clock.now()
        asked = known or Approval(run_id=run_id, asked_at=iso(now), deadline=int(now.timestamp()), rules=rules)
        expired = Decision(decision=EXPIRED, at=iso(now), reason=f"Nobody answered by {asked.deadline_text}.")
        try:
            return approvals.save(replace(asked, decision=expired, token=""), replacing=known)
        except ConditionFailed:
            continue
    raise AssertionError
