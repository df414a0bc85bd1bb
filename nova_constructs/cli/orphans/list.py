"""`nova orphans list`."""

from __future__ import annotations

import click

from nova_constructs.cli import output
from nova_constructs.cli.exits import ExitCode
from nova_constructs.cli.json_command import JsonCommand
from nova_constructs.cli.orphans.sweep import place_of, place_options, print_orphans, sweep, tell_unseen


@click.command(
    "list",
    cls=JsonCommand,
    epilog="""\b
Examples:
  nova orphans list
  nova orphans list --customization NovaSupport/Support --json
  nova orphans list --cluster nova-cluster --region us-east-1

\b
Exit codes: 0 looked everywhere, whatever was found; 1 something could not be looked at; 2 bad input.

\b
Cost: of training jobs by the on-demand prices that come with this program, where it has one for the instance type.
""",
)
@place_options
@output.json_option
def list_orphans(
    customization: str | None, clusters: tuple[str, ...], namespace: str, region: str | None, as_json: bool
) -> int:
    """List what costs money and no run waits for: which run made it, why nobody needs it, what it costs by the hour.

    Jobs in progress whose run has ended or whose stack is gone; models, deployments and provisioned throughput that
    `nova models prune` removes.
    """
    found = sweep(place_of(customization, clusters, namespace, region))
    if as_json:
        output.print_json(
            {
                "jobs": [each.as_dict() for each in found.jobs],
                "models": [each.as_dict() for each in found.models],
                "live": [each.arn for each in found.live],
                "unseen": list(found.unseen),
            }
        )
    else:
        if found.jobs or found.models:
            print_orphans([*found.jobs, *found.models])
        tell_unseen(found.unseen)
        _tell_what_to_do(found.jobs, sorted({each.remove_with for each in found.models}))
    return ExitCode.FAILED if found.unseen else ExitCode.OK


def _tell_what_to_do(jobs: object, commands: list[str]) -> None:
    if jobs:
        click.echo("`nova orphans stop` stops the jobs.", err=True)
    for command in commands:
        click.echo(output.harmless(f"`{command}` removes models and what serves them."), err=True)
    if not jobs and not commands:
        click.echo("Nothing was found that is left behind.", err=True)
