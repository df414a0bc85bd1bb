"""`nova triggers list`."""

from __future__ import annotations

import click

from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.turns import Draining
from nova_constructs.cli import aws, output
from nova_constructs.cli.deployed import Customization, find, stack_options
from nova_constructs.cli.errors import BadInputError
from nova_constructs.cli.items import ReadItems
from nova_constructs.cli.triggers.reading import KnownTrigger, read_triggers

_SHOWN = 10


@click.command(
    "list",
    epilog="""\b
Examples:
  nova triggers list --stack NovaSupport
  nova triggers list --json | jq '.[].starts'
""",
)
@stack_options
@output.json_option
def list_triggers(stack: str | None, customization: str | None, as_json: bool) -> None:
    """Say in words what starts runs, and show what has arrived and waits."""
    found = find(aws.client("cloudformation"), stack=stack, customization=customization)
    if "ArrivalsTableName" not in found.outputs:
        raise BadInputError(
            "this stack was deployed before there were triggers", received=found.stack, do="deploy it again"
        )
    known = read_triggers(found, aws.client("dynamodb"))
    if as_json:
        output.print_json([each.as_dict() for each in known])
        return
    for each in known:
        _print(each)
    if draining := _draining(found):
        click.echo(output.harmless(f"Nothing starts now. {draining.reason}"), err=True)
    click.echo("Whoever may call StartExecution, or use `nova run start`, starts runs by hand.", err=True)


def _draining(customization: Customization) -> Draining | None:
    table = customization.outputs.get("RunControlTableName")
    return RunLock(ReadItems(aws.client("dynamodb"), table)).turns().draining if table else None


def _print(trigger: KnownTrigger) -> None:
    click.echo(output.harmless(f"{trigger.name}  ({trigger.kind}, mode {trigger.mode})"))
    click.echo(output.harmless(f"  {trigger.starts}"))
    for arrival in trigger.waiting[:_SHOWN]:
        click.echo(output.harmless(f"  waiting since {arrival.at}: {arrival.what}"))
    if len(trigger.waiting) > _SHOWN:
        click.echo(f"  and {len(trigger.waiting) - _SHOWN} more that wait")
