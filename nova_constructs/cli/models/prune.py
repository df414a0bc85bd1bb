"""`nova models prune`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from lambda_handlers.deployment.retention import Judged, Removal, Standing, remove_all
from nova_constructs.cli import aws, output
from nova_constructs.cli.deployed import stack_options
from nova_constructs.cli.errors import BadInputError
from nova_constructs.cli.exits import ExitCode
from nova_constructs.cli.json_command import JsonCommand
from nova_constructs.cli.models.holdings import Holdings, open_holdings
from nova_constructs.cli.models.list import as_dict, print_judged


@click.command(
    cls=JsonCommand,
    epilog="""\b
Examples:
  nova models prune --stack NovaSupport
  nova models prune --stack NovaSupport --yes
  nova models prune --customization NovaSupport/Support --live-too --yes

\b
Exit codes: 0 removed, or nothing to remove; 1 something could not be removed now; 2 bad input, or not confirmed.
""",
)
@click.option("--yes", is_flag=True, help="Remove what is shown without asking.")
@click.option(
    "--live-too", is_flag=True, help="Remove the live ones and their pointer as well, once the stack is deleted."
)
@stack_options
@output.json_option
def prune(yes: bool, live_too: bool, stack: str | None, customization: str | None, as_json: bool) -> int:
    """Show the models and deployments that nobody needs, then remove them.

    Never the live one, nor what a rollback goes back to, while there is a stack; once it is deleted, everything but
    the live one.
    """
    holdings = open_holdings(stack=stack, customization=customization)
    doomed = _doomed(holdings, live_too=live_too)
    if doomed and not yes:
        _confirm(doomed, holdings.usd_per_unit_hour, as_json=as_json)
    # With the live ones go their callers' sign-posts: there is nothing left that the pointer could come to show.
    removal = remove_all(aws.client("bedrock"), doomed, (lambda: None) if live_too else holdings.live)
    if live_too and not removal.left:
        _forget_pointer(holdings.parameter)
    _tell(holdings, removal, as_json=as_json)
    return ExitCode.FAILED if removal.left else ExitCode.OK


def _doomed(holdings: Holdings, *, live_too: bool) -> list[Judged]:
    if live_too and holdings.stack is not None:
        raise BadInputError(
            "the live model is not removed while its stack is there",
            received="--live-too",
            do=f"leave it out, or delete the stack {holdings.stack} first",
        )
    if not live_too:
        return [each for each in holdings.judged if each.removable]
    return [each for each in holdings.judged if each.standing not in (Standing.COMMITTED, Standing.UNKNOWN)]


def _confirm(doomed: Sequence[Judged], usd_per_unit_hour: float | None, *, as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        names = ", ".join(f"{each.made.kind} {each.made.name}" for each in doomed)
        raise BadInputError(
            f"{len(doomed)} would be removed, and nobody is here to confirm it", received=names, do="add --yes"
        )
    print_judged(doomed, usd_per_unit_hour)
    if not click.confirm(f"Remove these {len(doomed)}?", err=True):
        raise BadInputError("nothing was removed", do="run it again to remove them")


def _forget_pointer(parameter: str) -> None:
    ssm = aws.client("ssm")
    try:
        ssm.delete_parameter(Name=parameter)
    except ssm.exceptions.ParameterNotFound:
        return


def _tell(holdings: Holdings, removal: Removal, *, as_json: bool) -> None:
    price = holdings.usd_per_unit_hour
    left = [{**as_dict(each, price), "why": why} for each, why in removal.left]
    if as_json:
        document: dict[str, Any] = {
            "customization": holdings.tag, "removed": [as_dict(each, price) for each in removal.removed], "left": left
        }  # fmt: skip
        output.print_json(document)
        return
    for each in removal.removed:
        click.echo(output.harmless(f"removed {each.made.kind} {each.made.name}"))
    for each, why in removal.left:
        click.echo(output.harmless(f"left    {each.made.kind} {each.made.name}: {why}"), err=True)
    if not removal.removed and not left:
        click.echo("There is nothing to remove.", err=True)
    if left:
        click.echo("What is left can be removed later with the same command.", err=True)
