"""`nova models list`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from lambda_handlers.deployment.inventory import Kind, Made
from lambda_handlers.deployment.retention import Judged
from nova_constructs.cli import output, times
from nova_constructs.cli.deployed import stack_options
from nova_constructs.cli.json_command import JsonCommand
from nova_constructs.cli.models.holdings import open_holdings

_HEADERS = ("KIND", "NAME", "STATUS", "STANDING", "RUN", "CREATED", "COST PER HOUR")


@click.command(
    "list",
    cls=JsonCommand,
    epilog="""\b
Examples:
  nova models list --stack NovaSupport
  nova models list --customization NovaSupport/Support --json

\b
Standing: live (production), rollback (a rollback goes back to it), kept (one of the last that served), committed (AWS
does not delete it yet), open run, recent, in use, unknown; retired and orphan are what `nova models prune` removes.
""",
)
@stack_options
@output.json_option
def list_models(stack: str | None, customization: str | None, as_json: bool) -> None:
    """List what there is in Amazon Bedrock: what it is to the customization, which run made it, what it costs."""
    holdings = open_holdings(stack=stack, customization=customization)
    if as_json:
        output.print_json([as_dict(each) for each in holdings.judged])
        return
    print_judged(holdings.judged)
    if not holdings.judged:
        click.echo("There are no models and no deployments yet.", err=True)
    elif holdings.stack is None:
        click.echo(
            f"The stack of {holdings.tag} is gone; what was live is read from its pointer's parameter.", err=True
        )


def print_judged(judged: Sequence[Judged]) -> None:
    """Print a table on stdout."""
    from rich.markup import escape

    rows = [[escape(output.harmless(cell)) for cell in _row(each)] for each in judged]
    output.print_rows(output.console(), _HEADERS, rows)


def as_dict(judged: Judged) -> dict[str, Any]:
    """Return one thing as it is printed with `--json`."""
    made = judged.made
    return {
        **made.facts(),
        "model_arn": made.model_arn,
        "status": made.status,
        "standing": str(judged.standing),
        "created": made.created,
        "model_units": made.units or None,
        "committed_until": made.committed_until,
        "usd_per_hour": None if made.kind is Kind.PROVISIONED else 0.0,
        "cost": cost(made),
    }


def cost(made: Made) -> str:
    """Return what something costs while nobody calls it, in words (Amazon Bedrock pricing, custom models)."""
    if made.kind is Kind.PROVISIONED:
        until = f", committed until {made.committed_until:%Y-%m-%d}" if made.committed_until else ""
        return f"{made.units} model unit{'s' if made.units > 1 else ''} by the hour{until}"
    return "0; storage by the month" if made.kind is Kind.MODEL else "0; billed by the token"


def _row(judged: Judged) -> tuple[str, ...]:
    made = judged.made
    return (
        str(made.kind),
        made.name,
        made.status,
        str(judged.standing),
        made.run_id or "-",
        times.instant(made.created),
        cost(made),
    )
