"""`nova run resume`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import click

from lambda_handlers.planning.modes import FULL, MODES
from nova_constructs.cli import output
from nova_constructs.cli.approval.requester import attest_requester
from nova_constructs.cli.deployed import stack_options
from nova_constructs.cli.errors import BadInputError
from nova_constructs.cli.exits import exit_code
from nova_constructs.cli.run.details import read_details
from nova_constructs.cli.run.show import print_run
from nova_constructs.cli.run.start import check_input, new_run_id, start_execution
from nova_constructs.cli.run.target import open_runs
from nova_constructs.cli.run.waiting import wait_until_closed
from nova_constructs.cli.runs import run_status

_OF_THE_EARLIER_START: Final = ("trigger", "requested_by", "reason", "dry_run")
"""What an input says of how and why that run was started."""
_NOTHING_LEFT: Final = {
    "RUNNING": ("the run is still going, so that there is nothing to resume yet", "wait for its end, or stop it first"),
    "SUCCEEDED": (
        "the run succeeded, so that there is nothing to resume",
        "start it again with `nova run start --force`",
    ),
    "SKIPPED": ("the run was skipped, so that there is nothing to resume", "start it again with `nova run start`"),
    "DRY_RUN": ("a dry run leaves nothing to resume", "start it with `nova run start`"),
}


@click.command(
    epilog="""\b
Examples:
  nova run resume RUN --wait
  nova run resume RUN --reason "evaluation corrected" --json

\b
Exit codes: with --wait those of the run (0 succeeded, 1 failed, 3 rejected, 4 skipped); 2 nothing to resume.
"""
)
@click.argument("run_id", metavar="RUN")
@click.option("--reason", metavar="TEXT", help="Why, for the record.")
@click.option("--wait", is_flag=True, help="Stay until the run has ended. Ctrl-C leaves the run running.")
@stack_options
@output.json_option
def resume(
    run_id: str, reason: str | None, wait: bool, stack: str | None, customization: str | None, as_json: bool
) -> int:
    """Start a run with the input of RUN that does not do again what RUN has done of the same.

    Prepared data and jobs that completed are taken where all that they were made of is the same by its hash; a job of
    RUN that still runs is waited for. The gate, an approval and the deployment are always done again.
    """
    runs = open_runs(stack=stack, customization=customization)
    earlier = runs.describe(run_id)
    if refused := _NOTHING_LEFT.get(run_status(earlier)):
        raise BadInputError(refused[0], received=run_id, do=refused[1])
    document = _input_of(earlier, run_id) | {"resume": run_id} | ({"reason": reason} if reason else {})
    check_input(document)
    new_id = new_run_id(datetime.now(UTC))
    if MODES[document.get("mode", FULL.name)].deploys:
        attest_requester(runs, new_id)
    arn = start_execution(runs, new_id, document)
    click.echo(f"Started run {new_id}, which resumes {run_id}", err=True)
    if wait:
        wait_until_closed(runs, new_id)
        details = read_details(runs, new_id)
        print_run(details, as_json=as_json)
        return exit_code(details.status)
    if as_json:
        told = {"run_id": new_id, "status": "RUNNING", "customization": runs.customization.name}
        output.print_json({**told, "execution_arn": arn, "resume": run_id})
    else:
        click.echo(new_id)
    return 0


def _input_of(execution: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    """Return what an earlier run was asked to do; an input that is none never began anything."""
    try:
        found = json.loads(execution.get("input") or "")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise BadInputError("the run has no input that could be resumed", received=run_id, do="start a new run")
    return {key: value for key, value in found.items() if key not in _OF_THE_EARLIER_START}
