"""What of a deployment can be known to fail, or has to be read, at synth."""

from __future__ import annotations

from collections.abc import Iterable

from aws_cdk import Annotations, Stack, Token
from aws_cdk import aws_iam as iam
from constructs import Construct

from lambda_handlers.catalog.regions import REGIONS
from nova_constructs.bake import ALARM_ARN, Bake
from nova_constructs.deployment_targets import DeploymentTarget, NoDeployment, OnDemand
from nova_constructs.execution_role import role_problems
from nova_constructs.platforms import KEY_ARN


def deployment_problems(
    scope: Construct, target: DeploymentTarget, import_role: iam.IRole | str | None
) -> Iterable[str]:
    """Yield what is wrong with a target, and with the user's own role for imports."""
    if isinstance(target, NoDeployment):
        if import_role is not None:
            yield "import_role is given, but nothing is imported: leave it out, or give a deployment"
        return
    yield from target.problems()
    yield from role_problems(scope, import_role, "import_role", "Bedrock")
    region = Stack.of(scope).region
    yield from _key_elsewhere(target.model_key_arn, region)
    yield from _alarms_elsewhere(target.bake, Stack.of(scope))
    found = None if Token.is_unresolved(region) else REGIONS.get(region)
    if isinstance(target, OnDemand) and found and not found.on_demand:
        there = ", ".join(name for name, each in REGIONS.items() if each.on_demand)
        yield (
            f"Amazon Bedrock serves custom Nova models on demand in {there}, not in {region}: use another Region or "
            "deployment target BEDROCK_PT"
        )


def _key_elsewhere(arn: str | None, region: str) -> Iterable[str]:
    if arn is None or Token.is_unresolved(arn) or Token.is_unresolved(region) or not KEY_ARN.fullmatch(arn):
        return
    if (there := arn.split(":")[3]) != region:
        yield f"deployment.model_key_arn is a key of {there}, the stack of {region}: use a key of the stack's Region"


def _alarms_elsewhere(bake: Bake | None, stack: Stack) -> Iterable[str]:
    for arn in bake.alarms if bake else ():
        if Token.is_unresolved(arn) or not ALARM_ARN.fullmatch(arn):
            continue
        where = dict(zip(("Region", "account"), arn.split(":")[3:5], strict=True))
        for what, own in (("Region", stack.region), ("account", stack.account)):
            if not Token.is_unresolved(own) and own != where[what]:
                yield (
                    f"deployment.bake.alarms has {arn!r}, of the {what} {where[what]}: its changes are not told in "
                    f"{own}, the stack's; use an alarm of the stack's {what}"
                )


def warn_of_deployment(scope: Construct, target: DeploymentTarget) -> None:
    """Leave the warnings of a target, each to be acknowledged by its id."""
    if isinstance(target, NoDeployment):
        return
    for name, text in target.warnings():
        Annotations.of(scope).add_warning_v2(f"nova-constructs:{name}", text)
