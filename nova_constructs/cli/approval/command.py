"""`nova approve` and `nova reject`."""

from __future__ import annotations

from typing import Any

import click

from lambda_handlers.approval.binding import APPROVE, REJECT
from lambda_handlers.approval.words import reason_problem
from nova_constructs.cli import output
from nova_constructs.cli.approval.sending import send
from nova_constructs.cli.deployed import stack_options
from nova_constructs.cli.errors import BadInputError, CommandError
from nova_constructs.cli.exits import ExitCode
from nova_constructs.cli.json_command import JsonCommand
from nova_constructs.cli.run.target import open_runs

_CODES = """\b
Exit codes: 0 the answer is recorded, also where the same one was before; 1 it is refused; 2 bad input.
"""


@click.command(
    cls=JsonCommand,
    epilog=f"""\b
Examples:
  nova approve RUN --reason "scores hold on the new catalogue"
  nova approve RUN --stack NovaSupport --reason "reviewed with support" --json

{_CODES}""",
)
@click.argument("run_id", metavar="RUN")
@click.option("--reason", metavar="TEXT", required=True, help="Why, for the record.")
@stack_options
@output.json_option
def approve(run_id: str, reason: str, stack: str | None, customization: str | None, as_json: bool) -> int:
    """Let a run that waits deploy its model. Recorded with your IAM identity as AWS attests it."""
    return _answer(APPROVE, run_id, reason, stack, customization, as_json=as_json)


@click.command(
    cls=JsonCommand,
    epilog=f"""\b
Examples:
  nova reject RUN --reason "answers are too long"

{_CODES}""",
)
@click.argument("run_id", metavar="RUN")
@click.option("--reason", metavar="TEXT", required=True, help="Why, for the record.")
@stack_options
@output.json_option
def reject(run_id: str, reason: str, stack: str | None, customization: str | None, as_json: bool) -> int:
    """End a run that waits as REJECTED; production stays as it is. Recorded with your IAM identity."""
    return _answer(REJECT, run_id, reason, stack, customization, as_json=as_json)


def _answer(
    decision: str, run_id: str, reason: str, stack: str | None, customization: str | None, *, as_json: bool
) -> int:
    problem = reason_problem(reason)
    if problem:
        raise BadInputError(problem, received=reason, do='give --reason "why" in one line')
    runs = open_runs(stack=stack, customization=customization)
    runs.describe(run_id)
    told = send(runs, run_id, decision, reason)
    if not told["accepted"]:
        if not as_json:
            raise CommandError(told["cause"])
        output.print_json({"run_id": run_id, "error": told["error"], "cause": told["cause"]})
        return ExitCode.FAILED
    if as_json:
        output.print_json({name: value for name, value in told.items() if name != "accepted"})
    else:
        _say(run_id, told)
    return ExitCode.OK


def _say(run_id: str, told: dict[str, Any]) -> None:
    if told["repeated"]:
        click.echo("This was the answer already; whatever of it was lost is made good.", err=True)
    click.echo(output.harmless(f"Run {run_id}: {told['sentence']}"))
