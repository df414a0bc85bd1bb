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

_HEADERS = ("KIND", "NAME", "STATUS", "STANDING", "RUN", "CREATED", "USD PER HOUR")


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

\b
Cost: what something costs while nobody calls it. That of provisioned throughput is known where the deployment says
usd_per_unit_hour; no prices of Amazon Bedrock come with this program.
""",
)
@stack_options
@output.json_option
def list_models(stack: str | None, customization: str | None, as_json: bool) -> None:
    """List what there is in Amazon Bedrock: what it is to the customization, which run made it, what it costs."""
    holdings = open_holdings(stack=stack, customization=customization)
    if as_json:
        output.print_json([as_dict(each, holdings.usd_per_unit_hour) for each in holdings.judged])
        return
    print_judged(holdings.judged, holdings.usd_per_unit_hour)
    if not holdings.judged:
        click.echo("There are no models and no deployments yet.", err=True)
    elif holdings.stack is None:
        click.echo(
            f"The stack of {holdings.tag} is gone; what was live is read from its pointer's parameter.", err=True
        )


def print_judged(judged: Sequence[Judged], usd_per_unit_hour: float | None) -> None:
    """Print a table on stdout; the price of a model unit is None where nobody has told it."""
    from rich.markup import escape

    rows = [[escape(output.harmless(cell)) for cell in _row(each, usd_per_unit_hour)] for each in judged]
    output.print_rows(output.console(), _HEADERS, rows)


def as_dict(judged: Judged, usd_per_unit_hour: float | None) -> dict[str, Any]:
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
        "usd_per_hour": usd_per_hour(made, usd_per_unit_hour),
        "cost": cost(made, usd_per_unit_hour),
    }


def usd_per_hour(made: Made, usd_per_unit_hour: float | None) -> float | None:
    """Return what something costs by the hour while nobody calls it, None where that is not known."""
    if made.kind is not Kind.PROVISIONED:
        return 0.0
    return None if usd_per_unit_hour is None else made.units * usd_per_unit_hour


def cost(made: Made, usd_per_unit_hour: float | None) -> str:
    """Return what something costs while nobody calls it, in words (Amazon Bedrock pricing, custom models)."""
    if made.kind is Kind.PROVISIONED:
        until = f", committed until {made.committed_until:%Y-%m-%d}" if made.committed_until else ""
        price = usd_per_hour(made, usd_per_unit_hour)
        told = "not known" if price is None else f"{price:,.2f}"
        return f"{told}; {made.units} model unit{'s' if made.units > 1 else ''}{until}"
    return "0; storage by the month" if made.kind is Kind.MODEL else "0; billed by the token"


def _row(judged: Judged, usd_per_unit_hour: float | None) -> tuple[str, ...]:
    made = judged.made
    return (
        str(made.kind),
        made.name,
        made.status,
        str(judged.standing),
        made.run_id or "-",
        times.instant(made.created),
        cost(made, usd_per_unit_hour),
    )
