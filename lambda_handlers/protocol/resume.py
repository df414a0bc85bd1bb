"""What an earlier run has completed, so that a new one need not do it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambda_handlers.protocol.ledger import LedgerEvent
from lambda_handlers.protocol.names import sha256

STAGE_COMPLETED: Final = "stage_completed"


@dataclass(frozen=True, kw_only=True, slots=True)
class StageResult:
    """Hold what a stage made of its inputs, known by their hash."""

    stage: str
    input_hash: str
    result: Mapping[str, Any]
    run_id: str

    def serves(self, inputs: Mapping[str, Any]) -> bool:
        """Say whether the result is that of the same inputs."""
        return self.input_hash == input_hash(inputs)


def input_hash(inputs: Mapping[str, Any]) -> str:
    """Return the SHA-256 by which inputs of a stage are the same."""
    return sha256(dict(inputs))


def stage_completed(stage: str, inputs: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the detail of the ledger event that lets a later run take the stage's result."""
    return {"stage": stage, "input_hash": input_hash(inputs), "result": dict(result)}


def completed_stages(events: Iterable[LedgerEvent]) -> Mapping[str, StageResult]:
    """Return the newest result of each completed stage."""
    return {
        str(event.detail["stage"]): StageResult(
            stage=str(event.detail["stage"]),
            input_hash=str(event.detail["input_hash"]),
            result=event.detail["result"],
            run_id=event.run_id,
        )
        for event in events
        if event.type == STAGE_COMPLETED
    }
