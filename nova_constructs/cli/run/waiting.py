"""Waits for a run to end and for its record to be closed."""

from __future__ import annotations

import time

import click

from nova_constructs.cli import history, times
from nova_constructs.cli.errors import CommandError
from nova_constructs.cli.runs import Runs

POLL_SECONDS = 5.0
# The reconciler, which closes what the status event missed, comes every five minutes.
CLOSE_LIMIT_SECONDS = 900.0


def wait_until_closed(runs: Runs, run_id: str) -> None:
    """Return when the execution has ended and its record is closed; name each stage on stderr as it starts.

    A run that waits for a person's approval says so, once, with the commands that answer.

    Raises CommandError when the record is still open 15 minutes after the execution ended.
    """
    named, told = 0, False
    while runs.describe(run_id)["status"] == "RUNNING":
        named = _name_new_stages(runs, run_id, named)
        told = told or _told_of_approval(runs, run_id)
        time.sleep(POLL_SECONDS)
    _name_new_stages(runs, run_id, named)
    waited = 0.0
    while runs.record(run_id) is None:
        if waited >= CLOSE_LIMIT_SECONDS:
            raise CommandError(
                f"run {run_id} has ended, but its record is not closed after {waited / 60:.0f} minutes; "
                "look at the logs of the functions CloseRun and ReconcileJobs"
            )
        time.sleep(POLL_SECONDS)
        waited += POLL_SECONDS


def _told_of_approval(runs: Runs, run_id: str) -> bool:
    """Tell that a run waits for approval, and how to answer; return whether it does."""
    waits = runs.awaited(run_id)
    if waits is None:
        return False
    click.echo(
        f"  waits for approval until {times.instant(waits.deadline)}, then it ends REJECTED. To answer:", err=True
    )
    for command in waits.commands:
        click.echo(f"    {command}", err=True)
    return True


def _name_new_stages(runs: Runs, run_id: str, named: int) -> int:
    stages = history.stages(runs.history(run_id))
    for stage in stages[named:]:
        click.echo(f"  {stage.name}", err=True)
    return len(stages)
