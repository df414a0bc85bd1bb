"""Which run a function works for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lambda_handlers.protocol.errors import InvalidRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Identify one run: one execution of the state machine, under one generation of the lock."""

    id: str
    execution_arn: str
    state_machine_arn: str
    started_at: str
    """ISO 8601, as Step Functions gives it."""
    lock_generation: int
    resumes: tuple[str, ...] = ()
    """The earlier run that this one resumes, then the run that that one resumed, and so on."""

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Run:
        """Read the `run` member of a payload; raise InvalidRequest naming every missing field."""
        missing = [name for name in cls.__slots__ if name not in document and name != "resumes"]
        if missing:
            raise InvalidRequest("The run is incomplete.", problems=[f"run.{name} is missing" for name in missing])
        return cls(
            id=str(document["id"]),
            execution_arn=str(document["execution_arn"]),
            state_machine_arn=str(document["state_machine_arn"]),
            started_at=str(document["started_at"]),
            lock_generation=int(document["lock_generation"]),
            resumes=tuple(document.get("resumes") or ()),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the form that travels in payloads."""
        return {**asdict(self), "resumes": list(self.resumes)}
