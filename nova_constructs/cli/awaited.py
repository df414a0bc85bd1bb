"""Whether a run waits for a person: read from the run control table, never with its task token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lambda_handlers.approval.approvals import approval_key
from lambda_handlers.approval.message import answer_commands
from nova_constructs.cli.deployed import Customization

AWAITING = "AWAITING_APPROVAL"
FUNCTION_OUTPUT = "ApprovalFunctionName"
"""The output of a stack that names what takes answers; only where runs wait for a person."""
_READ = ("deadline", "decision", "requester")


@dataclass(frozen=True, kw_only=True, slots=True)
class Awaited:
    """What a run waits for: an answer until `deadline`, given with one of `commands`."""

    deadline: datetime
    requester: str | None
    commands: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return it as it is printed with `--json`."""
        return {"deadline": self.deadline, "requester": self.requester, "commands": self.commands}


def asks_for_approval(customization: Customization) -> bool:
    """Tell whether the runs of a customization wait for a person."""
    return FUNCTION_OUTPUT in customization.outputs


def awaited(dynamodb: Any, customization: Customization, run_id: str) -> Awaited | None:
    """Return what a run that is running waits for, or None where nobody has to answer, or somebody has."""
    if not asks_for_approval(customization):
        return None
    names = {f"#{name}": name for name in _READ}
    found = dynamodb.get_item(
        TableName=customization.outputs["RunControlTableName"],
        Key={"item": {"S": approval_key(run_id)}},
        ProjectionExpression=", ".join(names),
        ExpressionAttributeNames=names,
        ConsistentRead=True,
    ).get("Item")
    if not found or found["decision"]["S"]:
        return None
    return Awaited(
        deadline=datetime.fromtimestamp(int(found["deadline"]["N"]), UTC),
        requester=found["requester"]["S"] or None,
        commands=answer_commands(run_id, {"stack": customization.stack, "name": customization.name}),
    )
