"""`nova run list`."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from nova_constructs.cli import output, times
from nova_constructs.cli.deployed import stack_options
from nova_constructs.cli.run.target import open_runs
from nova_constructs.cli.runs import RunSummary

_HEADERS: tuple[str, ...] = ("RUN", "STATUS", "STARTED", "DURATION")


@click.command(
    "list",
    epilog="""\b
Examples:
  nova run list --stack NovaSupport
  nova run list --limit 5 --json
""",
)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many runs at most.")
@stack_options
@output.json_option
def list_runs(stack: str | None, customization: str | None, limit: int, as_json: bool) -> None:
    """List the newest runs, newest first: status, start, duration, and the run it resumes."""
    runs = list(open_runs(stack=stack, customization=customization).latest(limit))
    if as_json:
        output.print_json([run.as_dict() for run in runs])
        return
    rows, headers = [_row(run) for run in runs], _HEADERS
    if any(run.resume for run in runs):
        headers, rows = (*headers, "RESUMES"), [(*row, _resumed(run)) for row, run in zip(rows, runs, strict=True)]
    output.print_rows(output.console(), headers, rows)
    if not runs:
        click.echo("No runs yet. Start one with `nova run start DATASET`.", err=True)


def _row(run: RunSummary) -> tuple[str, ...]:
    took = times.between(run.started, run.stopped or datetime.now(UTC))
    return (
        run.run_id,
        output.status_text(run.status),
        times.instant(run.started),
        took if run.stopped else f"{took} so far",
    )


def _resumed(run: RunSummary) -> str:
    from rich.markup import escape

    return escape(output.harmless(run.resume)) if run.resume else "-"
