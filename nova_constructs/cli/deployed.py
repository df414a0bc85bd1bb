"""Finds the deployed customization that a command is about."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import click

from nova_constructs.cli.errors import BadInputError

P = ParamSpec("P")
R = TypeVar("R")

STACK_VARIABLE = "NOVA_STACK"
_STATE_MACHINE = "StateMachineArn"
# A stack is one of ours if, beside a state machine, it exports these for the same customization.
_TELLING = ("RunLedgerTableName", "JobRegistryTableName", "AuditBucketName")


@dataclass(frozen=True, kw_only=True, slots=True)
class Customization:
    """Name a deployed customization and where its parts are, from the outputs of its stack."""

    stack: str
    name: str
    outputs: Mapping[str, str]

    @property
    def state_machine_arn(self) -> str:
        """Return the ARN of the workflow's state machine."""
        return self.outputs[_STATE_MACHINE]

    def execution_arn(self, run_id: str) -> str:
        """Return the ARN of the execution that is this run: a run id is an execution name."""
        return f"{self.state_machine_arn.replace(':stateMachine:', ':execution:', 1)}:{run_id}"


def stack_options(command: Callable[P, R]) -> Callable[P, R]:
    """Add `--stack` and `--customization` to a command."""
    command = click.option(
        "--customization", metavar="NAME", help="Which customization, where the stack holds several."
    )(command)
    return click.option(
        "--stack", metavar="NAME", help=f"Stack to use. Default: {STACK_VARIABLE}, or the only stack of nova."
    )(command)


def find(cloudformation: Any, *, stack: str | None, customization: str | None) -> Customization:
    """Return the customization that the options, the environment or the account single out.

    Raises BadInputError when there is none, or when several fit and none is named.
    """
    wanted = stack or os.environ.get(STACK_VARIABLE) or None
    stacks = [_describe(cloudformation, wanted)] if wanted else list(_all_stacks(cloudformation))
    found = [one for described in stacks for one in customizations_of(described)]
    if not found:
        raise _nothing_found(wanted)
    chosen = [one for one in found if customization is None or one.name.lower() == customization.lower()]
    if not chosen:
        raise BadInputError(
            "there is no such customization",
            received=customization,
            allowed=_names(found),
            do="name one of these with --customization",
        )
    if len(chosen) > 1:
        raise BadInputError(
            "several customizations are deployed",
            allowed=_names(chosen),
            do=f"name one: --stack NAME (or {STACK_VARIABLE}) and, within a stack, --customization NAME",
        )
    return chosen[0]


def customizations_of(stack: Mapping[str, Any]) -> list[Customization]:
    """List the customizations that a described stack holds, by the prefixes of its outputs."""
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}
    prefixes = [key.removesuffix(_STATE_MACHINE) for key in outputs if key.endswith(_STATE_MACHINE)]
    return [
        Customization(stack=stack["StackName"], name=prefix, outputs=_own(outputs, prefix))
        for prefix in sorted(prefixes)
        if all(prefix + suffix in outputs for suffix in _TELLING)
    ]


def _own(outputs: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {key.removeprefix(prefix): value for key, value in outputs.items() if key.startswith(prefix)}


def _describe(cloudformation: Any, name: str) -> Mapping[str, Any]:
    from botocore.exceptions import ClientError

    try:
        described: Mapping[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise BadInputError(
            "there is no such stack in this account and region",
            received=name,
            do="check --stack, AWS_PROFILE and AWS_REGION, or deploy it with `cdk deploy`",
        ) from None
    return described


def _all_stacks(cloudformation: Any) -> Iterable[Mapping[str, Any]]:
    for page in cloudformation.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            if not stack["StackStatus"].startswith("DELETE"):
                yield stack


def _nothing_found(wanted: str | None) -> BadInputError:
    if wanted:
        return BadInputError(
            "this stack holds no customization", received=wanted, do="name a stack that `app.py` deployed"
        )
    return BadInputError(
        "no customization is deployed in this account and region",
        do="check AWS_PROFILE and AWS_REGION, or deploy one with `cdk deploy`; `nova demo` needs no account",
    )


def _names(found: Sequence[Customization]) -> str:
    return ", ".join(f"{one.name} (stack {one.stack})" for one in found)
