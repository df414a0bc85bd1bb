"""What a customization has in Amazon Bedrock and where each thing stands, with its stack or after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lambda_handlers.deployment import inventory
from lambda_handlers.deployment.inventory import Made
from lambda_handlers.deployment.retention import Judged, Retention
from lambda_handlers.protocol.pointer import Pointer
from lambda_handlers.protocol.runs import open_runs
from lambda_handlers.protocol.targets import Target
from nova_constructs.cli import aws
from nova_constructs.cli.deployed import Customization, find
from nova_constructs.cli.errors import BadInputError
from nova_constructs.cli.items import ReadItems

TAG_OUTPUT = "CustomizationTag"
_PRICE_OUTPUT = "UsdPerUnitHour"


@dataclass(frozen=True, kw_only=True, slots=True)
class Holdings:
    """Hold what was found. `stack` is None once that is deleted."""

    tag: str
    """STACK/NAME, the value of the tag."""
    stack: str | None
    judged: Sequence[Judged]
    live: Callable[[], Target | None]
    """Reads the pointer again."""
    parameter: str
    usd_per_unit_hour: float | None = None
    """What a model unit costs, where the stack was told."""


def open_holdings(*, stack: str | None, customization: str | None) -> Holdings:
    """Return what the customization has that the options or the environment name.

    Raises BadInputError where there is none; a name with a slash is a tag, whose stack may be gone.
    """
    cloudformation = aws.client("cloudformation")
    if customization is None or "/" not in customization:
        return _of_stack(find(cloudformation, stack=stack, customization=customization))
    stack_name = customization.partition("/")[0]
    if stack not in (None, stack_name):
        raise BadInputError(
            "--stack and --customization name two stacks",
            received=f"{stack} and {customization}",
            do="leave out --stack",
        )
    try:
        found = find(cloudformation, stack=stack_name, customization=customization.rpartition("/")[2])
    except BadInputError:
        return _without_stack(customization)
    return _of_stack(found) if found.outputs.get(TAG_OUTPUT) == customization else _without_stack(customization)


def _of_stack(found: Customization) -> Holdings:
    if "ModelsKept" not in found.outputs:
        raise BadInputError(
            "this customization deploys nothing", received=found.name, do="name another with --stack, --customization"
        )
    control = ReadItems(aws.client("dynamodb"), found.outputs["RunControlTableName"])
    pointer = Pointer(control)
    made = inventory.take(aws.client("bedrock"), found.outputs[TAG_OUTPUT])
    rule = Retention(
        keep=int(found.outputs["ModelsKept"]),
        grace=timedelta(minutes=float(found.outputs["BakeMinutes"])),
        target=pointer.read(),
        open_runs=open_runs(control),
        now=datetime.now(UTC),
    )
    return Holdings(
        tag=found.outputs[TAG_OUTPUT],
        stack=found.stack,
        judged=rule.judge(made),
        live=pointer.read,
        parameter=found.outputs["PointerParameterName"],
        usd_per_unit_hour=float(found.outputs[_PRICE_OUTPUT]) if _PRICE_OUTPUT in found.outputs else None,
    )


def _without_stack(tag: str) -> Holdings:
    """Return what a deleted stack has left: the pointer's parameter still says what callers were sent to."""
    parameter = f"/nova-constructs/{tag}/production"
    made = inventory.take(aws.client("bedrock"), tag)
    if not made:
        raise BadInputError(
            "nothing in Amazon Bedrock carries this customization's tag, and there is no such stack",
            received=tag,
            do="check the name, AWS_PROFILE and AWS_REGION; the stack's output CustomizationTag says it",
        )

    def live() -> Target | None:
        return _shown(aws.client("ssm"), parameter, made)

    rule = Retention(keep=1, grace=timedelta(0), target=live(), open_runs=(), now=datetime.now(UTC))
    return Holdings(tag=tag, stack=None, judged=rule.judge(made), live=live, parameter=parameter)


def _shown(ssm: Any, parameter: str, made: Sequence[Made]) -> Target | None:
    try:
        arn = str(ssm.get_parameter(Name=parameter)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        return None
    model = next((each.model_arn for each in made if each.arn == arn), "")
    return Target(
        arn=arn, model_arn=model, run_id="", generation=0, moved_at="", previous=None, previous_model_arn=None
    )
