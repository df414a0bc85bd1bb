"""`nova run show`."""

from __future__ import annotations

import click

from nova_constructs.cli import output
from nova_constructs.cli.deployed import stack_options
from nova_constructs.cli.exits import exit_code
from nova_constructs.cli.run.details import RunDetails, read_details
from nova_constructs.cli.run.render import print_details
from nova_constructs.cli.run.target import open_runs


@click.command(
    epilog="""\b
Examples:
  nova run show RUN
  nova run show RUN --stack NovaSupport --json

\b
Exit codes: those of the run. 0 succeeded or still running, 1 failed, 3 rejected, 4 skipped; 2 no such run.
"""
)
@click.argument("run_id", metavar="RUN")
@stack_options
@output.json_option
def show(run_id: str, stack: str | None, customization: str | None, as_json: bool) -> int:
    """Show one run: status, stages, jobs, error and cause, pointer."""
    details = read_details(open_runs(stack=stack, customization=customization), run_id)
    print_run(details, as_json=as_json)
    return exit_code(details.status)


def print_run(details: RunDetails, *, as_json: bool) -> None:
    """Print a run on stdout, as one JSON object or for people."""
    if as_json:
        output.print_json(details.as_dict())
    else:
        print_details(output.console(), details)
