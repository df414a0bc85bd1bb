"""`nova logs`: the command."""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import click

from lambda_handlers.jobs.logs import LogLine, Look, Notice, NoticeKind, follow_logs, read_logs, training_metrics
from nova_constructs.cli import output
from nova_constructs.cli.aws import client
from nova_constructs.cli.deployed import stack_options
from nova_constructs.cli.errors import BadInputError
from nova_constructs.cli.interrupts import InterruptError, Interrupts
from nova_constructs.cli.logs.printing import line_printer, metrics_printer
from nova_constructs.cli.logs.since import parse_since
from nova_constructs.cli.logs.sources import JobSource, RunSource, Source
from nova_constructs.cli.run.target import open_runs

POLL_SECONDS = 5.0
_JOB = re.compile(r"(arn:[\w:-]+:training-job/)?[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Hold which lines are asked for."""

    limit: int | None
    from_head: bool
    since: datetime | None
    follow: bool
    metrics: bool


@click.command(
    epilog="""\b
Examples:
  nova logs RUN
  nova logs RUN --stage training --limit 50
  nova logs RUN --follow --since 10m
  nova logs RUN --metrics > steps.csv
  nova logs --job-id my-training-job --limit 20 --from-head --json

\b
Printed: local time, stage and instance, and the line, with control characters as escapes;
with --json one object per line, its `message` as the container wrote it.

\b
Exit codes: 0 read, whatever the lines say; 1 AWS refused; 2 bad input; 130 Ctrl-C.
"""
)
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--job-id", metavar="NAME", help="Name or ARN of a training job that no run knows, instead of RUN.")
@click.option("--stage", metavar="NAME", help="Only this stage: training, evaluation-mmlu and so on.")
@click.option("--follow", "-f", is_flag=True, help="Go on until the jobs have ended. Ctrl-C leaves them running.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the last so many lines. Default: all.")
@click.option("--from-head", is_flag=True, help="With --limit: the first lines instead of the last.")
@click.option("--since", metavar="AGE|TIME", help="Only newer lines: 10m, 2h, 1d; 2026-11-22T10:00 (local time).")
@click.option("--metrics", is_flag=True, help="Loss, learning rate and reward of each step; CSV in a pipe.")
@stack_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line on stdout and nothing else.")
def logs(
    run_id: str | None,
    job_id: str | None,
    stage: str | None,
    stack: str | None,
    customization: str | None,
    as_json: bool,
    since: str | None,
    **how: Any,
) -> int:
    """Print the log lines of the training jobs of RUN, of all attempts and instances, in the order of time."""
    wanted = Wanted(since=parse_since(since, datetime.now(UTC)) if since else None, **how)
    _check(run_id, job_id, stage, wanted)
    if job_id is not None:
        source: Source = JobSource(job_id, client("sagemaker"))
        cloudwatch: Any = client("logs")
    else:
        runs = open_runs(stack=stack, customization=customization)
        source, cloudwatch = RunSource(runs, run_id or "", stage), runs.client("logs")
    make = metrics_printer if wanted.metrics else line_printer
    show = make(source.stage if as_json else source.origin, as_json=as_json)
    with Interrupts(announce=False) if wanted.follow else nullcontext() as interrupts:
        try:
            for record in _records(_lines(source, cloudwatch, wanted, interrupts), wanted):
                show(record)
        except InterruptError as stopped:
            click.echo("Stopped following; the jobs go on.", err=True)
            return stopped.exit_code
        finally:
            sys.stdout.flush()
    return 0


def _check(run_id: str | None, job_id: str | None, stage: str | None, wanted: Wanted) -> None:
    if (run_id is None) == (job_id is None):
        raise BadInputError(
            "name either a run or a job",
            received="neither" if run_id is None else f"{run_id} and --job-id {job_id}",
            do="try `nova logs RUN` or `nova logs --job-id NAME`",
        )
    if job_id is not None and not _JOB.fullmatch(job_id):
        raise BadInputError(
            "this is no name of a training job",
            received=job_id,
            allowed="1 to 63 letters, digits and hyphens, or the job's ARN",
            do="see the names with `nova run show RUN` or `aws sagemaker list-training-jobs`",
        )
    if job_id is not None and stage is not None:
        raise BadInputError("a job has no stages", received=f"--stage {stage}", do="leave --stage out with --job-id")
    if wanted.from_head and wanted.limit is None:
        raise BadInputError("--from-head needs a --limit: without one, all lines come", do="add --limit 100")
    if wanted.follow and wanted.limit is not None and (wanted.from_head or wanted.metrics):
        other = "--from-head" if wanted.from_head else "--metrics"
        raise BadInputError(
            f"--follow with --limit and {other} is contradictory: following never leaves out what comes",
            do="leave out --follow or --limit",
        )


def _lines(source: Source, cloudwatch: Any, wanted: Wanted, interrupts: Interrupts | None) -> Iterator[LogLine]:
    def notify(notice: Notice) -> None:
        _tell(source, notice)

    # How many steps are wanted says nothing about how many lines hold them.
    limit = None if wanted.metrics else wanted.limit
    look = _saying_when_empty(source)
    if interrupts is None:
        return read_logs(
            look().jobs, limit=limit, from_head=wanted.from_head, since=wanted.since, notify=notify, logs=cloudwatch
        )

    def wait(seconds: float) -> None:
        sys.stdout.flush()
        interrupts.wait(seconds)

    followed = follow_logs(
        look, limit=limit, since=wanted.since, notify=notify, poll_seconds=POLL_SECONDS, wait=wait, logs=cloudwatch
    )
    return _interruptible(followed, interrupts)


def _saying_when_empty(source: Source) -> Callable[[], Look]:
    jobs: set[str] = set()
    said: set[str] = set()

    def look() -> Look:
        found = source.look()
        jobs.update(found.jobs)
        if not jobs and (sentence := source.nothing()) not in said:
            said.add(sentence)
            click.echo(output.harmless(sentence), err=True)
        return found

    return look


def _interruptible(lines: Iterable[LogLine], interrupts: Interrupts) -> Iterator[LogLine]:
    for line in lines:
        interrupts.check()
        yield line


def _records(lines: Iterator[LogLine], wanted: Wanted) -> Iterable[Any]:
    if not wanted.metrics:
        return lines
    steps = training_metrics(lines)
    if wanted.limit is None:
        return steps
    return islice(steps, wanted.limit) if wanted.from_head else deque(steps, maxlen=wanted.limit)


def _tell(source: Source, notice: Notice) -> None:
    name = output.harmless(f"{source.origin(notice.job) or 'job'} ({notice.job})")
    if notice.kind is NoticeKind.LOST_STREAM:
        click.echo(f"{name}: the log stream {output.harmless(notice.stream)} is gone: deleted or expired.", err=True)
        return
    state = source.state(notice.job)
    if state is None:
        raise BadInputError(
            "there is no such training job in this account and region, and no log of it",
            received=notice.job,
            do="check the name, AWS_PROFILE and AWS_REGION; a run is named without --job-id",
        )
    ended = state.startswith(("Completed", "Failed", "Stopped"))
    why = "its container never wrote anything, or the lines have expired" if ended else "its container has not begun"
    click.echo(f"{name}: no log stream{'' if ended else ' yet'}, {why}. The job is {state}.", err=True)
