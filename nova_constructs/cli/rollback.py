"""`nova rollback`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import click

from nova_constructs.cli import aws, output
from nova_constructs.cli.deployed import Customization, find, stack_options
from nova_constructs.cli.errors import BadInputError, CommandError
from nova_constructs.cli.json_command import JsonCommand

_FUNCTION = "RollBackFunctionName"


@click.command(
    cls=JsonCommand,
    epilog="""\b
Examples:
  nova rollback --stack NovaSupport --reason "answers in the wrong language"
  nova rollback --to 20260101-120000-abc123 --yes --json

\b
Exit codes: 0 rolled back; 1 what would serve is gone or does not answer; 2 nothing to go back to, or not confirmed.
""",
)
@click.option("--to", metavar="RUN", help="The run to whose deployment to go back. Default: the one before.")
@click.option("--reason", metavar="TEXT", default="", help="Why, for the record.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@stack_options
@output.json_option
def rollback(
    to: str | None, reason: str, yes: bool, stack: str | None, customization: str | None, as_json: bool
) -> None:
    """Let the pointer show again what was in production before, once that has answered.

    A run that is at work meanwhile goes on, but does not move the pointer forward.
    """
    found = find(aws.client("cloudformation"), stack=stack, customization=customization)
    if _FUNCTION not in found.outputs:
        raise BadInputError(
            "this customization deploys nothing", received=found.name, do="name another with --stack, --customization"
        )
    plan = _call(found, {"action": "PLAN", "to": to})
    if not yes:
        _confirm(plan, as_json=as_json)
    told = _call(
        found,
        {
            "action": "ROLL_BACK",
            "to": plan["to"]["run_id"],
            "expected": plan["live"],
            "reason": reason,
            "claim": aws.client("sts").get_caller_identity()["Arn"],
        },
    )
    if as_json:
        output.print_json(told)
    else:
        click.echo(output.harmless(f"{found.name} is served by {told['live']['arn']} of run {told['live']['run_id']}"))


def _confirm(plan: Mapping[str, Any], *, as_json: bool) -> None:
    sentence = output.harmless(
        f"From {plan['live']['arn']} of run {plan['live']['run_id']} "
        f"back to {plan['to']['arn']} of run {plan['to']['run_id']}"
    )
    if as_json or not sys.stdin.isatty():
        raise BadInputError("nobody is here to confirm the rollback", received=sentence, do="add --yes")
    if not click.confirm(f"{sentence}?", err=True):
        raise BadInputError("nothing was changed", do="run it again to roll back")


def _call(found: Customization, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the function answers; raise what it refuses, in its own words."""
    answer = aws.client("lambda").invoke(FunctionName=found.outputs[_FUNCTION], Payload=json.dumps(request).encode())
    told: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" not in answer:
        return told
    message = str(told.get("errorMessage", told))
    if told.get("errorType") == "InvalidRequest":
        raise BadInputError(message, do="see what there is with `nova models list`")
    raise CommandError(message)
