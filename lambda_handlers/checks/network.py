"""The VPC that jobs run in: that its subnets and groups are there, belong together, and have addresses to spare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from lambda_handlers.checks.findings import Findings
from lambda_handlers.protocol.errors import TransientServiceError, error_code, service_errors


def check(findings: Findings, ec2: Any, vpc: Mapping[str, Sequence[str]], addresses: int) -> None:
    """Note why jobs cannot run in a VPC, which is `subnets` and `security_groups` by id.

    `addresses` is how many the jobs take at once. A warning where EC2 does not answer: it is no reason to stop.
    """
    try:
        with service_errors():
            subnets = list(_found(ec2.describe_subnets, "Subnets", "subnet-id", vpc["subnets"]))
            groups = list(_found(ec2.describe_security_groups, "SecurityGroups", "group-id", vpc["security_groups"]))
    except Exception as error:
        if not isinstance(error, TransientServiceError) and not error_code(error):
            raise
        names = ", ".join((*vpc["subnets"], *vpc["security_groups"]))
        findings.warn(f"The VPC of the jobs was not checked ({names}): {error}")
        return
    _missing(findings, "subnet", vpc["subnets"], [each["SubnetId"] for each in subnets])
    _missing(findings, "security group", vpc["security_groups"], [each["GroupId"] for each in groups])
    _together(findings, {each.get("SubnetId") or each["GroupId"]: each["VpcId"] for each in (*subnets, *groups)})
    free = sum(each["AvailableIpAddressCount"] for each in subnets)
    if len(subnets) == len(set(vpc["subnets"])) and free < addresses:
        findings.problem(
            f"The subnets {', '.join(vpc['subnets'])} have {free} free addresses, and the jobs of the run need "
            f"{addresses} at once: give more or larger subnets."
        )


def _missing(findings: Findings, what: str, wanted: Sequence[str], found: Sequence[str]) -> None:
    for name in dict.fromkeys(wanted):
        if name not in found:
            findings.problem(f"The {what} {name} does not exist in this account and Region.")


def _together(findings: Findings, vpcs: Mapping[str, str]) -> None:
    if len(set(vpcs.values())) > 1:
        listed = ", ".join(f"{name} of {vpc}" for name, vpc in vpcs.items())
        findings.problem(f"The subnets and security groups of the jobs are of several VPCs ({listed}): give one VPC's.")


def _found(operation: Callable[..., Any], member: str, key: str, names: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Yield those that exist: asked for by filter, since asking by id fails for the first that does not."""
    request: dict[str, Any] = {"Filters": [{"Name": key, "Values": list(dict.fromkeys(names))}]}
    while True:
        answer = operation(**request)
        yield from answer[member]
        if not answer.get("NextToken"):
            return
        request["NextToken"] = answer["NextToken"]
