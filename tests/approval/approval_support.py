"""A run that waits for approval, on a table in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lambda_handlers.approval.answering import Answering
from lambda_handlers.approval.asking import Asking
from lambda_handlers.approval.attestation import Attestation, Reply
from lambda_handlers.approval.settling import settle
from lambda_handlers.protocol.errors import LedgerSealed, TransientServiceError
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.runs import close_run
from tests.protocol.protocol_memory import MemoryItemStore, run_control

ENDPOINT = "https://sts.us-east-1.amazonaws.com"
WORKFLOW = "arn:aws:states:us-east-1:111122223333:stateMachine:demo"
ALICE = "arn:aws:iam::111122223333:user/alice"
BOB = "arn:aws:iam::111122223333:user/team/bob"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RESULT = {
    "evaluations": [{"task": "mmlu", "subtask": None, "model": "candidate", "metrics": {"accuracy": 0.71}}],
    "gate": {"verdict": "PASSED", "sentence": "Every criterion holds.", "criteria": []},
    "checkpoint": {"uri": "s3://customer-escrow-111122223333-smtj-1/checkpoint"},
}
CONFIG: dict[str, Any] = {
    "deadline_seconds": 3600,
    "approvers": [],
    "self_approval": False,
}


class Ledger:
    """Remember events; refuse them once `sealed`, fail once where `failing`."""

    def __init__(self) -> None:
        self.events: dict[str, tuple[str, Mapping[str, Any]]] = {}
        self.sealed = False
        self.failing = 0

    def append(self, *, run_id: str, event_id: str, type: str, detail: Mapping[str, Any]) -> Mapping[str, Any]:
        if self.failing:
            self.failing -= 1
            raise TransientServiceError("the ledger does not answer")
        if self.sealed and event_id not in self.events:
            raise LedgerSealed("closed")
        self.events.setdefault(event_id, (type, detail))
        return {}


class Tokens:
    """Remember what was sent to which token; `closed` tokens take nothing, `failing` sends are lost."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.closed: set[str] = set()
        self.failing = 0

    def succeed(self, token: str, output: Mapping[str, Any]) -> bool:
        if self.failing:
            self.failing -= 1
            raise TransientServiceError("Step Functions does not answer")
        if token in self.closed:
            return False
        self.closed.add(token)
        self.sent.append((token, dict(output)))
        return True

    def fail(self, token: str, error: str, cause: str) -> bool:
        raise AssertionError("an answer is never a failure")


class Clock:
    def __init__(self) -> None:
        self.instant = NOW

    def now(self) -> datetime:
        return self.instant


@dataclass
class World:
    """One run that has come to its approval; people answer under their own ARN."""

    config: dict[str, Any] = field(default_factory=lambda: dict(CONFIG))
    requester: str | None = None
    control: MemoryItemStore = field(default_factory=run_control)
    ledger: Ledger = field(default_factory=Ledger)
    tasks: Tokens = field(default_factory=Tokens)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.generation = RunLock(self.control).acquire("run-1", "arn:execution:run-1", NOW)
        if self.requester:
            assert self.say(self.requester, "start", reason="")["requester"] == self.requester

    @property
    def run(self) -> dict[str, Any]:
        return {
            "id": "run-1",
            "execution_arn": "arn:execution:run-1",
            "state_machine_arn": WORKFLOW,
            "started_at": "2026-01-02T03:00:00Z",
            "lock_generation": self.generation,
        }

    def ask(self, token: str = "token-0", retry: int = 0) -> dict[str, Any]:
        asking = Asking(control=self.control, ledger=self.ledger, tasks=self.tasks, clock=self.clock)
        event = {"run": self.run, "token": token, "retry": retry, "config": self.config, "result": RESULT}
        return asking.ask(event)

    def say(self, who: str, decision: str, run: str = "run-1", reason: str = "looks good") -> dict[str, Any]:
        """Answer as somebody whom AWS attests, whatever the request says."""
        event = {"run": run, "decision": decision, "reason": reason, "identity": presigned()}
        return self.answering(who).answer(event)

    def answering(self, who: str) -> Answering:
        return Answering(
            control=self.control,
            ledger=self.ledger,
            tasks=self.tasks,
            clock=self.clock,
            attestation=Attestation(endpoint=ENDPOINT, region="us-east-1", send=lambda *_: attested(who)),
            workflow=WORKFLOW,
        )

    def settle(self) -> dict[str, Any]:
        event = {"run": self.run, "config": self.config}
        return settle(event, control=self.control, ledger=self.ledger, clock=self.clock)

    def later(self, seconds: float) -> None:
        self.clock.instant += timedelta(seconds=seconds)

    def end(self) -> None:
        """Let the run end as an abort ends it."""
        close_run(self.control, "run-1")


def waiting(**changes: Any) -> World:
    """Return the world of a run that was asked about."""
    world = World(**changes)
    world.ask()
    return world


PARAMETERS = {
    "Action": "GetCallerIdentity",
    "Version": "2011-06-15",
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": "AKIAIOSFODNN7EXAMPLE%2F20260102%2Fus-east-1%2Fsts%2Faws4_request",
    "X-Amz-Date": "20260102T030400Z",
    "X-Amz-Expires": "60",
    "X-Amz-SignedHeaders": "host%3Bx-nova-decision%3Bx-nova-reason%3Bx-nova-run%3Bx-nova-workflow",
    "X-Amz-Signature": "0" * 64,
}


def presigned(origin: str = ENDPOINT, **changes: str | None) -> str:
    """Return a presigned request of the one form that is allowed; None leaves a parameter out."""
    parameters = {**PARAMETERS, **{name.replace("_", "-"): value for name, value in changes.items()}}
    query = "&".join(f"{name}={value}" for name, value in parameters.items() if value is not None)
    return f"{origin}/?{query}"


def attested(arn: str, status: int = 200, date: str = "Fri, 02 Jan 2026 03:04:05 GMT") -> Reply:
    """Return what STS answers."""
    body = (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>{arn}</Arn><UserId>X</UserId><Account>111122223333</Account></GetCallerIdentityResult>"
        "</GetCallerIdentityResponse>"
    )
    return Reply(status, date, body.encode())
