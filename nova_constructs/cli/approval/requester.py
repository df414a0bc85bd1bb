"""Who asks for a run, attested before it starts, so that they cannot approve it themselves."""

from __future__ import annotations

import click

from lambda_handlers.approval.binding import START
from nova_constructs.cli.approval.sending import send
from nova_constructs.cli.awaited import asks_for_approval
from nova_constructs.cli.errors import CommandError
from nova_constructs.cli.runs import Runs


def attest_requester(runs: Runs, run_id: str) -> None:
    """Let AWS attest who starts a run, where somebody will have to approve it.

    Who may not call the function that takes answers can give none either: their run starts, its requester unknown.
    Raises CommandError where the identity is refused.
    """
    if not asks_for_approval(runs.customization):
        return
    from botocore.exceptions import ClientError

    try:
        told = send(runs, run_id, START)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        click.echo("You may not answer for runs, so the requester of this one is recorded as unknown.", err=True)
        return
    if not told["accepted"]:
        raise CommandError(told["cause"])
