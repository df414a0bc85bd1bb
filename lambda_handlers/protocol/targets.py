"""What the pointer shows and has shown: targets, and the rollback that withdrew one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lambda_handlers.protocol.names import canonical
from lambda_handlers.protocol.store import Item, Value


@dataclass(frozen=True, kw_only=True, slots=True)
class Earlier:
    """Name what the pointer showed before: a deployment with the model that it served."""

    arn: str
    model_arn: str
    run_id: str
    moved_at: str
    withdrawn: bool = False
    """Whether a rollback took it away: nothing goes back to it unless it is named."""

    def same(self, other: Earlier | Target) -> bool:
        """Say whether both are one deployment of one model; updated in place, a deployment has several."""
        return (self.arn, self.model_arn) == (other.arn, other.model_arn)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollback:
    """Say what was withdrawn, why and on whose word."""

    id: str
    """The run id under which the ledger has it."""
    withdrawn_arn: str
    withdrawn_model_arn: str
    withdrawn_run_id: str
    reason: str
    by: Mapping[str, str]
    """`{"claim": ARN}` for a person, `{"alarm": name}` for an alarm."""
    at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Name what the pointer shows: a deployment, its model, and the run that made it production."""

    arn: str
    model_arn: str
    run_id: str
    generation: int
    """Runs of an earlier generation of the lock may not move the pointer."""
    moved_at: str
    previous: str | None
    previous_model_arn: str | None
    history: tuple[Earlier, ...] = ()
    """What was shown before, the last first; each deployment and model once, the present one not among them."""
    rollback: Rollback | None = None
    """The last move, if that was a rollback."""

    def as_earlier(self, *, withdrawn: bool = False) -> Earlier:
        """Return the target as it enters the history."""
        facts = {"arn": self.arn, "model_arn": self.model_arn, "run_id": self.run_id, "moved_at": self.moved_at}
        return Earlier(**facts, withdrawn=withdrawn)

    @property
    def rollback_target(self) -> Earlier | None:
        """Return what a rollback goes back to by itself, or None: the last one that no rollback has withdrawn."""
        return next((each for each in self.history if not each.withdrawn), None)


def target_of(item: Item) -> Target:
    """Read the pointer's item."""
    rollback = json.loads(str(item["rollback"])) if "rollback" in item else None
    return Target(
        arn=str(item["arn"]),
        model_arn=str(item["model_arn"]),
        run_id=str(item["run_id"]),
        generation=int(item["generation"]),
        moved_at=str(item["moved_at"]),
        previous=str(item["previous"]) if "previous" in item else None,
        previous_model_arn=str(item["previous_model_arn"]) if "previous_model_arn" in item else None,
        history=tuple(Earlier(**each) for each in json.loads(str(item.get("history", "[]")))),
        rollback=Rollback(**rollback) if rollback else None,
    )


def item_of(target: Target) -> Item:
    """Return what is kept of a target, but for the item's key."""
    values: dict[str, Any] = {
        "arn": target.arn,
        "model_arn": target.model_arn,
        "run_id": target.run_id,
        "generation": target.generation,
        "moved_at": target.moved_at,
        "previous": target.previous,
        "previous_model_arn": target.previous_model_arn,
        "history": canonical([asdict(each) for each in target.history]) if target.history else None,
        "rollback": canonical(asdict(target.rollback)) if target.rollback else None,
    }
    kept: dict[str, Value] = {name: value for name, value in values.items() if value is not None}
    return kept
