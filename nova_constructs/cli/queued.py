"""Whether a run waits for its turn: read from the run control table, without its task token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lambda_handlers.protocol.lock import LOCK_KEY
from lambda_handlers.protocol.store import decode
from lambda_handlers.protocol.turns import Concurrency, Turns
from nova_constructs.cli.deployed import Customization

QUEUED = "QUEUED"
POLICY_OUTPUT = "Concurrency"
"""The output of a stack that says what becomes of a run that starts while another works."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Queued:
    """Where a run stands in the queue, 1 next, behind which runs that work, and until when it waits."""

    place: int
    behind: list[str]
    deadline: datetime

    def as_dict(self) -> dict[str, Any]:
        """Return it as it is printed with `--json`."""
        return {"place": self.place, "behind": self.behind, "deadline": self.deadline}


def read_turns(dynamodb: Any, customization: Customization) -> Turns:
    """Return who works and who waits; nobody where the customization has no queue."""
    policy = customization.outputs.get(POLICY_OUTPUT, Concurrency.SKIP)
    if not Concurrency(policy).queues:
        return Turns()
    key = {"item": {"S": str(LOCK_KEY["item"])}}
    table = customization.outputs["RunControlTableName"]
    found = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
    return Turns.parse(decode(found) if found else None)


def queued(turns: Turns, run_id: str) -> Queued | None:
    """Return where a run stands, or None where it does not wait for its turn."""
    place = turns.place(run_id)
    if place is None:
        return None
    return Queued(
        place=place,
        behind=[each.run_id for each in turns.holders],
        deadline=datetime.fromtimestamp(turns.queue[place - 1].deadline, UTC),
    )
