"""What a drained customization still has: models, deployments, provisioned throughput, and what each costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from lambda_handlers.deployment.inventory import Kind
from lambda_handlers.deployment.retention import Judged
from nova_constructs.cli import output
from nova_constructs.cli.deployed import Customization
from nova_constructs.cli.models.holdings import TAG_OUTPUT, open_holdings
from nova_constructs.cli.models.list import as_dict, cost, usd_per_hour


@dataclass(frozen=True, kw_only=True, slots=True)
class Staying:
    """Hold what stays; `usd_per_unit_hour` is None where nobody has told the price of a model unit."""

    tag: str
    judged: Sequence[Judged] = ()
    usd_per_unit_hour: float | None = None

    @property
    def usd_per_hour(self) -> float | None:
        """Return what all of it costs while nobody calls it, None where one price is not known."""
        prices = [usd_per_hour(each.made, self.usd_per_unit_hour) for each in self.judged]
        known = [each for each in prices if each is not None]
        return sum(known) if len(known) == len(prices) else None

    def as_list(self) -> list[dict[str, Any]]:
        """Return it as it is printed with `--json`."""
        return [as_dict(each, self.usd_per_unit_hour) for each in self.judged]

    def tell(self) -> None:
        """Say on stderr what stays, what it costs and what removes it."""
        if not self.judged:
            return
        click.echo("It stays in Amazon Bedrock, also when the stack is deleted:", err=True)
        for each in self.judged:
            made = each.made
            # What serves by the hour is what costs: the rest is counted.
            if made.kind is Kind.PROVISIONED:
                price = cost(made, self.usd_per_unit_hour)
                click.echo(
                    output.harmless(f"  {made.kind} {made.name} ({each.standing}), USD per hour: {price}"), err=True
                )
        for kind, words in ((Kind.DEPLOYMENT, "billed by the token"), (Kind.MODEL, "billed by the month")):
            count = sum(each.made.kind is kind for each in self.judged)
            if count:
                click.echo(f"  {count} {kind}{'s' if count > 1 else ''}, {words}", err=True)
        click.echo(
            f"  `nova models prune --customization {self.tag}` removes what nobody needs; once the stack is deleted, "
            "with --live-too all of it",
            err=True,
        )


def staying(customization: Customization) -> Staying:
    """Return what stays of a customization (bedrock: List..., ListTagsForResource)."""
    tag = customization.outputs[TAG_OUTPUT]
    if "ModelsKept" not in customization.outputs:
        return Staying(tag=tag)
    holdings = open_holdings(stack=customization.stack, customization=customization.name)
    return Staying(tag=tag, judged=holdings.judged, usd_per_unit_hour=holdings.usd_per_unit_hour)
