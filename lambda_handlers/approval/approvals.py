"""The item of a run that waits for a person, in the run control table. Every change is a compare and swap."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from lambda_handlers.protocol.clock import iso
from lambda_handlers.protocol.errors import WorkflowError
from lambda_handlers.protocol.names import canonical
from lambda_handlers.protocol.store import VERSION, ConditionFailed, Item, ItemStore, attempts

APPROVED: Final = "APPROVED"
REJECTED: Final = "REJECTED"
EXPIRED: Final = "EXPIRED"


class AnswerRefused(WorkflowError):  # noqa: N818 - said to people, like the other errors
    """Refuse an answer: `name` for programs, the message for people."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """Who may answer, as it stood when the run began to wait."""

    deadline_seconds: int
    approvers: tuple[str, ...] = ()
    self_approval: bool = False

    @classmethod
    def parse(cls, settings: Mapping[str, Any]) -> Rules:
        """Read the settings that the state passes on."""
        return cls(
            deadline_seconds=int(settings["deadline_seconds"]),
            approvers=tuple(settings["approvers"]),
            self_approval=settings["self_approval"] is True,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What became of a request: `decision` APPROVED, REJECTED or EXPIRED; `by` is the ARN as AWS attested it."""

    decision: str
    reason: str
    at: str
    by: str | None = None

    @property
    def sentence(self) -> str:
        """The decision in words."""
        if self.decision == EXPIRED:
            return self.reason
        return f"{'Approved' if self.decision == APPROVED else 'Rejected'} by {self.by} at {self.at}: {self.reason}"

    def as_dict(self) -> dict[str, Any]:
        """Return the decision as the workflow goes on with it."""
        return {
            "decision": self.decision,
            "by": self.by,
            "reason": self.reason,
            "at": self.at,
            "sentence": self.sentence,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """One request for approval and, once there is one, its decision. The token leaves the item only to be used."""

    run_id: str
    asked_at: str
    deadline: int
    """Seconds since the epoch."""
    rules: Rules
    requester: str | None = None
    """ARN of who asked for the run as AWS attested it; None where nobody attested."""
    submission: int = 0
    """Which try of the waiting state the token is of."""
    token: str = field(default="", repr=False)
    decision: Decision | None = None
    version: int = 0

    @property
    def deadline_text(self) -> str:
        """The deadline as people read it."""
        return datetime.fromtimestamp(self.deadline, UTC).strftime("%Y-%m-%d %H:%M UTC")


@dataclass(frozen=True, slots=True)
class Approvals:
    """Read and write approvals, and who was attested to have asked for a run."""

    store: ItemStore

    def get(self, run_id: str) -> Approval | None:
        """Return the approval of a run, or None where none was asked for."""
        item = self.store.get(_key(run_id))
        return _approval(item) if item else None

    def save(self, approval: Approval, *, replacing: Approval | None) -> Approval:
        """Write an approval in the place of the one that was read; raise ConditionFailed if there is another."""
        before = {VERSION: replacing.version} if replacing else None
        stored = self.store.put(_item(approval), replacing=before)
        return replace(approval, version=int(stored[VERSION]))

    def requester(self, run_id: str) -> str | None:
        """Return the ARN of who was attested to have asked for a run, or None."""
        item = self.store.get(_requester_key(run_id))
        return str(item["arn"]) if item else None

    def note_requester(self, run_id: str, arn: str, now: datetime) -> str:
        """Keep who asked for a run, once; return who is kept."""
        for _ in attempts():
            known = self.requester(run_id)
            if known:
                return known
            try:
                self.store.put({**_requester_key(run_id), "arn": arn, "at": iso(now)}, replacing=None)
            except ConditionFailed:
                continue
            return arn
        raise AssertionError


def approval_key(run_id: str) -> str:
    """Return the key of the item of a run's approval."""
    return f"approval/{run_id}"


def _key(run_id: str) -> Item:
    return {"item": approval_key(run_id)}


def _requester_key(run_id: str) -> Item:
    return {"item": f"requester/{run_id}"}


def _item(approval: Approval) -> Item:
    rules, decision = approval.rules, approval.decision
    return {
        **_key(approval.run_id),
        "run_id": approval.run_id,
        "asked_at": approval.asked_at,
        "deadline": approval.deadline,
        "deadline_seconds": rules.deadline_seconds,
        "approvers": canonical(list(rules.approvers)),
        "self_approval": rules.self_approval,
        "requester": approval.requester or "",
        "submission": approval.submission,
        "token": approval.token,
        "decision": decision.decision if decision else "",
        "by": (decision.by or "") if decision else "",
        "reason": decision.reason if decision else "",
        "answered_at": decision.at if decision else "",
    }


def _approval(item: Item) -> Approval:
    decided = str(item["decision"])
    return Approval(
        run_id=str(item["run_id"]),
        asked_at=str(item["asked_at"]),
        deadline=int(item["deadline"]),
        rules=Rules(
            deadline_seconds=int(item["deadline_seconds"]),
            approvers=tuple(json.loads(str(item["approvers"]))),
            self_approval=bool(item["self_approval"]),
        ),
        requester=str(item["requester"]) or None,
        submission=int(item["submission"]),
        token=str(item["token"]),
        decision=Decision(
            decision=decided, by=str(item["by"]) or None, reason=str(item["reason"]), at=str(item["answered_at"])
        )
        if decided
        else None,
        version=int(item[VERSION]),
    )
