"""Functions in the VPCs of jobs, which ask an MLflow server there for the plan, since the plan stands in none.

Each has a role of its own for its logs and the network interfaces that Lambda makes with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aws_cdk import Duration, Stack
from constructs import Construct

from lambda_handlers.planning.resource_checks import Job, vpcs_of
from nova_constructs import function_vpc
from nova_constructs.handler_function import HandlerFunction

# Below the 20 seconds that the plan waits, above the 10 that the server has.
TIMEOUT: Final = Duration.seconds(15)


def probed_vpcs(jobs: Sequence[Job]) -> list[Mapping[str, Any]]:
    """Return the VPCs, each once, of the jobs that track on a server which is not SageMaker's."""
    return vpcs_of([(stage, job) for stage, job in jobs if (job.get("mlflow") or {}).get("uri")])


class TrackingProbe(Construct):
    """A function in one VPC, `subnets` and `security_groups` by id. Attributes: `probe`, `vpc`."""

    def __init__(self, scope: Construct, construct_id: str, *, vpc: Mapping[str, Any]) -> None:
        super().__init__(scope, construct_id)
        self.vpc = vpc
        self.probe = HandlerFunction(
            self, "Ask", handler="probe_tracking", environment={}, timeout=TIMEOUT, memory_mib=256
        )
        function_vpc.place(self.probe, vpc)


def let_ask(plan: HandlerFunction, probes: Sequence[TrackingProbe]) -> None:
    """Let the plan call these functions and no others, and tell it in which VPC each stands."""
    if not probes:
        return
    functions = [each.probe.function for each in probes]
    plan.allow("AskFromVpc", ["lambda:InvokeFunction"], [function.function_arn for function in functions])
    deployed = [
        {**each.vpc, "function": function.function_name} for each, function in zip(probes, functions, strict=True)
    ]
    plan.function.add_environment("TRACKING_PROBES", Stack.of(plan).to_json_string(deployed))
