"""`nova run stop`."""

from __future__ import annotations

import click

from nova_constructs.cli import output
from nova_constructs.cli.deployed import stack_options
from nova_constructs.cli.errors import BadInputError
from nova_constructs.cli.run.details import read_details
from nova_constructs.cli.run.show import print_run
from nova_constructs.cli.run.target import open_runs
from nova_constructs.cli.run.waiting import wait_until_closed
from nova_constructs.cli.runs import run_status

ERROR_NAME = "StoppedByOperator"


@click.command(
    epilog="""\b
Examples:
  nova run stop RUN
  nova run stop RUN --reason "wrong dataset" --no-wait
"""
)
@click.argument("run_id", metavar="RUN")
@click.option("--reason", metavar="TEXT", default="stopped with nova run stop", help="Why, for the record.")
@click.option("--no-wait", is_flag=True, help="Return at once, before the run's jobs are stopped.")
@stack_options
@output.json_option
def stop(run_id: str, reason: str, no_wait: bool, stack: str | None, customization: str | None, as_json: bool) -> None:
    """Stop a run: its execution ends ABORTED, its jobs are stopped and its record is closed."""
    runs = open_runs(stack=stack, customization=customization)
    execution = runs.describe(run_id)
    if execution["status"] != "RUNNING":
        raise BadInputError(
            f"the run has already ended with {run_status(execution)}",
            received=run_id,
            do="see it with `nova run show`",
        )
    runs.client("stepfunctions").stop_execution(
        executionArn=execution["executionArn"], error=ERROR_NAME, cause=reason[:32768]
    )
    click.echo(f"Stopping run {run_id}", err=True)
    if not no_wait:
        wait_until_closed(runs, run_id)
    print_run(read_details(runs, run_id), as_json=as_json)
