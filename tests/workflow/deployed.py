"""What a customization has in Amazon Bedrock, judged by its own rule of retention, and how to take it all away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from lambda_handlers.deployment import inventory
from lambda_handlers.deployment.inventory import Kind
from lambda_handlers.deployment.retention import Judged, Retention, Standing
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.runs import open_runs
from lambda_handlers.protocol.store import Item, decode
from lambda_handlers.protocol.targets import Target
from tests.workflow.harness import Workflow

CUSTOMIZATION = "Nova-Demo/Demo"
KEEP = 3


def shown(workflow: Workflow) -> Target | None:
    """Return what the pointer shows: its item, not the parameter."""
    return Pointer(control(workflow)).read()


def judged(workflow: Workflow) -> list[Judged]:
    """Return where everything stands that the customization has."""
    table = control(workflow)
    rule = Retention(
        keep=KEEP,
        grace=timedelta(0),
        target=Pointer(table).read(),
        open_runs=open_runs(table),
        now=datetime.now(UTC) + timedelta(days=1000),
    )
    return rule.judge(inventory.take(workflow.emulator.client("bedrock"), CUSTOMIZATION))


def standings(found: Iterable[Judged], *kinds: Kind) -> Counter[Standing]:
    return Counter(each.standing for each in found if each.made.kind in kinds)


def everything(workflow: Workflow) -> set[str]:
    """Return the ARN of every model and of all that serves one, whosoever it is."""
    bedrock = workflow.emulator.client("bedrock")
    models = bedrock.list_custom_models()["modelSummaries"]
    deployments = bedrock.list_custom_model_deployments()["modelDeploymentSummaries"]
    throughputs = bedrock.list_provisioned_model_throughputs()["provisionedModelSummaries"]
    return {
        *(each["modelArn"] for each in models),
        *(each["customModelDeploymentArn"] for each in deployments),
        *(each["provisionedModelArn"] for each in throughputs),
    }


def emptied(workflow: Workflow) -> None:
    """Remove everything that serves, every model, and what the pointer showed: as before the first deployment."""
    bedrock = workflow.emulator.client("bedrock")
    for each in inventory.take(bedrock, CUSTOMIZATION):
        inventory.remove(bedrock, each.kind, each.arn)
    assert everything(workflow) == set()
    key = {"item": {"S": "pointer"}}
    workflow.emulator.client("dynamodb").delete_item(TableName=workflow["RunControlTableName"], Key=key)
    with suppress(ClientError):
        workflow.emulator.client("ssm").delete_parameter(Name=workflow["PointerParameterName"])


class _Control:
    """The run control table, read with the operator's rights."""

    def __init__(self, workflow: Workflow) -> None:
        self._client, self._table = workflow.emulator.client("dynamodb"), workflow["RunControlTableName"]

    def get(self, key: Item) -> Item | None:
        asked = {name: {"S": str(value)} for name, value in key.items()}
        answer = self._client.get_item(TableName=self._table, Key=asked, ConsistentRead=True)
        return decode(answer["Item"]) if "Item" in answer else None


def control(workflow: Workflow) -> Any:
    """Return the run control table, to be read."""
    return _Control(workflow)
