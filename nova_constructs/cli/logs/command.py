"""`nova logs`: the command."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import click

from lambda_handlers.jobs.logs import (
    LoggedJob,
    LogLine,
    Look,
    Notice,
    NoticeKind,
    follow_logs,
    read_logs,
    training_metrics,
)
from nova_constructs.cli import output
from nova_constructs.cli.aws import client
from nova_constructs.cli.deployed import stack_options
from nova_constructs.cli.interrupts import InterruptError, Interrupts
from nova_constructs.cli.logs.asked import SMHP, SMTJ, Wanted, Whose, check_wanted
from nova_constructs.cli.logs.cluster_source import ClusterSource
from nova_constructs.cli.logs.printing import line_printer, metrics_printer
from nova_constructs.cli.logs.since import parse_since
from nova_constructs.cli.logs.sources import JobSource, RunSource, Source
from nova_constructs.cli.run.target import open_runs

POLL_SECONDS = 5.0


@click.command(
    epilog="""\b
Examples:
  nova logs RUN
  nova logs RUN --stage training --limit 50
  nova logs RUN --follow --since 10m
  nova logs RUN --metrics > steps.csv
  nova logs --job-id my-training-job --limit 20 --from-head --json
  nova logs --job-id my-job --platform SMHP --cluster hp --namespace kubeflow

\b
Printed: local time, stage and instance, and the line, with control characters as escapes;
with --json one object per line, its `message` as the container wrote it.

\b
Exit codes: 0 read, whatever the lines say; 1 AWS refused; 2 bad input; 130 Ctrl-C.
"""
)
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--job-id", metavar="NAME", help="A job that no run knows, by its name or ARN, instead of RUN.")
@click.option(
    "--platform",
    type=click.Choice([SMTJ, SMHP], case_sensitive=False),
    help="With --job-id: SMTJ for a training job (default), SMHP for a job on HyperPod.",
)
@click.option("--cluster", metavar="NAME", help="With --platform SMHP: the HyperPod cluster.")
@click.option("--namespace", metavar="NAME", help="With --platform SMHP: the job's namespace. Default: kubeflow.")
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
    platform: str | None,
    cluster: str | None,
    namespace: str | None,
    stage: str | None,
    stack: str | None,
    customization: str | None,
    as_json: bool,
    since: str | None,
    **how: Any,
) -> int:
    """Print the log lines of the training and evaluation jobs of RUN, of all attempts and instances, in time order."""
    wanted = Wanted(since=parse_since(since, datetime.now(UTC)) if since else None, **how)
    whose = Whose(run_id=run_id, stage=stage, job_id=job_id, platform=platform, cluster=cluster, namespace=namespace)
    whose.check()
    check_wanted(wanted)
    source, cloudwatch = _source(whose, wanted, stack=stack, customization=customization)
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


def _source(whose: Whose, wanted: Wanted, *, stack: str | None, customization: str | None) -> tuple[Source, Any]:
    """Return whose lines are read, and the client of CloudWatch Logs to read them with."""
    if whose.job_id is None:
        runs = open_runs(stack=stack, customization=customization)
        return RunSource(runs, whose.run_id or "", whose.stage), runs.client("logs")
    sagemaker = client("sagemaker")
    if whose.platform != SMHP:
        return JobSource(whose.job_id, sagemaker), client("logs")
    return ClusterSource(whose, sagemaker, follows=wanted.follow), client("logs")


def _lines(source: Source, cloudwatch: Any, wanted: Wanted, interrupts: Interrupts | None) -> Iterator[LogLine]:
    def notify(notice: Notice) -> None:
        _tell(source, notice, wanted.since)

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
    jobs: set[LoggedJob] = set()
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


def _tell(source: Source, notice: Notice, since: datetime | None) -> None:
    name = output.harmless(f"{source.origin(notice.job) or 'job'} ({notice.job})")
    if notice.kind is NoticeKind.LOST_STREAM:
        click.echo(f"{name}: the log stream {output.harmless(notice.stream)} is gone: deleted or expired.", err=True)
        return
    click.echo(f"{name}: {output.harmless(source.no_lines(notice.job, since))}", err=True)
