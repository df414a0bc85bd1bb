"""`nova orphans stop`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from lambda_handlers.protocol.errors import WorkflowError
from nova_constructs.cli import aws, output
from nova_constructs.cli.errors import BadInputError
from nova_constructs.cli.exits import ExitCode
from nova_constructs.cli.json_command import JsonCommand
from nova_constructs.cli.orphans.living import Living
from nova_constructs.cli.orphans.sweep import Orphan, place_of, place_options, print_orphans, sweep, tell_unseen
from nova_constructs.cli.orphans.tagged import stop_job

Left = tuple[Orphan, str]


@click.command(
    cls=JsonCommand,
    epilog="""\b
Examples:
  nova orphans stop
  nova orphans stop --customization NovaSupport/Support --yes
  nova orphans stop --cluster nova-cluster --yes --json

\b
Exit codes: 0 all were told to stop, or there were none; 1 one could not be stopped, or something could not be looked
at; 2 bad input, or not confirmed.
""",
)
@click.option("--yes", is_flag=True, help="Stop what is shown without asking.")
@place_options
@output.json_option
def stop(
    yes: bool, customization: str | None, clusters: tuple[str, ...], namespace: str, region: str | None, as_json: bool
) -> int:
    """Stop the jobs in progress for which no run waits: SageMaker ends one within minutes.

    Models and what serves them are not touched: `nova models prune` removes them.
    """
    found = sweep(place_of(customization, clusters, namespace, region), models=False)
    doomed = [each for each in found.jobs if not each.job.stopping]
    if doomed and not yes:
        _confirm(doomed, as_json=as_json)
    stopped, left = stop_all(doomed)
    if as_json:
        document: dict[str, Any] = {
            "stopped": [each.as_dict() for each in stopped],
            "left": [{**each.as_dict(), "why": why} for each, why in left],
            "unseen": list(found.unseen),
        }
        output.print_json(document)
    else:
        _tell(stopped, left)
        tell_unseen(found.unseen)
    return ExitCode.FAILED if left or found.unseen else ExitCode.OK


def stop_all(doomed: Sequence[Orphan]) -> tuple[list[Orphan], list[Left]]:
    """Stop jobs, each after another look at whether a run waits for it by now; return what was and what was not."""
    from botocore.exceptions import ClientError

    stopped: list[Orphan] = []
    left: list[Left] = []
    for each in doomed:
        try:
            if Living(client=aws.client).why_dead(each.job) is None:
                left.append((each, "a run waits for it by now"))
                continue
            stop_job(aws.client, each.job)
        except (ClientError, WorkflowError) as error:
            left.append((each, str(error)))
        else:
            stopped.append(each)
    return stopped, left


def _confirm(doomed: Sequence[Orphan], *, as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        names = ", ".join(f"{each.job.kind} {each.job.name}" for each in doomed)
        raise BadInputError(
            f"{len(doomed)} would be stopped, and nobody is here to confirm it", received=names, do="add --yes"
        )
    print_orphans(doomed)
    if not click.confirm(f"Stop these {len(doomed)}?", err=True):
        raise BadInputError("nothing was stopped", do="run it again to stop them")


def _tell(stopped: Sequence[Orphan], left: Sequence[Left]) -> None:
    for each in stopped:
        click.echo(output.harmless(f"stopped {each.job.kind} {each.job.name}: {each.why}"))
    for each, why in left:
        click.echo(output.harmless(f"left    {each.job.kind} {each.job.name}: {why}"), err=True)
    if not stopped and not left:
        click.echo("There is nothing to stop.", err=True)
