"""What `nova drain` says in the end: that all is at rest or what is left, and what stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from lambda_handlers.protocol.turns import Draining
from nova_constructs.cli import aws, output, times
from nova_constructs.cli.deployed import Customization
from nova_constructs.cli.drain.left import Left
from nova_constructs.cli.drain.marking import Mark, Reopened
from nova_constructs.cli.drain.staying import staying
from nova_constructs.cli.models.holdings import TAG_OUTPUT
from nova_constructs.cli.triggers.reading import read_waiting


def tell(
    mark: Mark, draining: Draining, stopped: Sequence[str], left: Sequence[Left], seconds: float, *, as_json: bool
) -> None:
    """Print how it ended: on stdout that all is at rest, or one JSON document; on stderr the rest."""
    stays = staying(mark.customization)
    arrivals = len(read_waiting(mark.customization, aws.client("dynamodb")))
    turned_away = (mark.read() or draining).turned_away
    if as_json:
        document: dict[str, Any] = {
            "customization": mark.customization.outputs[TAG_OUTPUT],
            "drained": not left,
            "since": draining.since,
            "by": draining.by,
            "stopped": list(stopped),
            "turned_away": list(turned_away),
            "arrivals_kept": arrivals,
            "left": [each.as_dict() for each in left],
            "stays": stays.as_list(),
            "usd_per_hour": stays.usd_per_hour,
        }
        output.print_json(document)
        return
    if left:
        _tell_left(left, seconds)
    else:
        click.echo(f"{mark.customization.name} is drained: no execution running, no job in progress, no lock held.")
    if arrivals or turned_away:
        click.echo(
            f"Kept until `nova drain --undo`: {arrivals} arrivals, and what started {len(turned_away)} runs that were "
            "turned away.",
            err=True,
        )
    stays.tell()


def _tell_left(left: Sequence[Left], seconds: float) -> None:
    for each in left:
        click.echo(output.harmless(f"left: {each.sentence}"), err=True)
    click.echo(
        f"After {times.duration(seconds)} this was left, and no run starts: run it again to go on waiting, with "
        "--stop to stop it, or `nova drain --undo` to let runs start.",
        err=True,
    )


def tell_undone(customization: Customization, reopened: Reopened | None, *, as_json: bool) -> None:
    """Print that runs can start again, and what becomes of those that were turned away."""
    if as_json:
        document = {
            "customization": customization.outputs[TAG_OUTPUT],
            "drained": False,
            "was_drained": reopened is not None,
            "again": dict(reopened.again) if reopened else {},
            "by_hand": list(reopened.by_hand) if reopened else [],
        }
        output.print_json(document)
        return
    if reopened is None:
        click.echo(f"{customization.name} was not being drained: runs can start.")
        return
    click.echo(f"{customization.name} is open again: what has arrived starts runs within a reconciler interval.")
    for run_id, trigger in reopened.again.items():
        click.echo(output.harmless(f"  run {run_id} was turned away: what trigger {trigger} was told waits again"))
    for run_id in reopened.by_hand:
        click.echo(output.harmless(f"  run {run_id} was turned away: start it again with `nova run start`"), err=True)
