"""`nova drain`."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Final

import click

from nova_constructs.cli import aws, output, times
from nova_constructs.cli.deployed import Customization, find, stack_options
from nova_constructs.cli.drain.left import Watch
from nova_constructs.cli.drain.marking import Mark
from nova_constructs.cli.drain.telling import tell, tell_undone
from nova_constructs.cli.drain.work import Work, wait_for
from nova_constructs.cli.errors import BadInputError, CommandError
from nova_constructs.cli.exits import ExitCode
from nova_constructs.cli.json_command import JsonCommand

_TIMEOUT: Final = re.compile(r"(\d{1,6})([smhd])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@click.command(
    cls=JsonCommand,
    epilog="""\b
Examples:
  nova drain --stack NovaSupport
  nova drain NovaSupport/Support --timeout 12h
  nova drain --stop --reason "the stack goes" --yes
  nova drain --undo

\b
Exit codes: 0 at rest: no execution running, no job in progress, no lock held, or runs can start again; 1 something is
left after the timeout; 2 bad input, or not confirmed.

Permissions: docs/drain.md lists the IAM actions that the caller needs.
""",
)
@click.argument("name", metavar="[CUSTOMIZATION]", required=False)
@click.option("--stop", "stops", is_flag=True, help="Stop what runs instead of waiting for its end.")
@click.option("--undo", "--end", is_flag=True, help="Let runs start again, with what has arrived meanwhile.")
@click.option("--timeout", metavar="TIME", default="24h", show_default=True, help="How long to wait: 90s, 12h, 2d.")
@click.option("--reason", metavar="TEXT", default="", help="Why runs are stopped, for their record.")
@click.option("--yes", is_flag=True, help="Stop without asking.")
@stack_options
@output.json_option
def drain(
    name: str | None,
    stops: bool,
    undo: bool,
    timeout: str,
    reason: str,
    yes: bool,
    stack: str | None,
    customization: str | None,
    as_json: bool,
) -> int:
    """Let a customization come to rest, so that its stack can be deleted: no run starts, those at work end.

    A run that starts meanwhile, or waits for its turn, ends SKIPPED; what arrives is kept and starts a run after
    `nova drain --undo`. Models and what serves them stay: it is told what that costs, and `nova models prune` removes
    them. When everything has ended, the customization stays drained until `--undo`.
    """
    seconds = _checked(stops=stops, undo=undo, timeout=timeout, reason=reason, name=name, customization=customization)
    found = _find(name, stack, customization)
    mark = Mark(customization=found, client=aws.client)
    if undo:
        return _undo(mark, seconds, as_json=as_json)
    watch = Watch(customization=found, client=aws.client, control=mark.control)
    if stops and not yes:
        _confirm(watch.running(), as_json=as_json)
    draining = mark.set()
    click.echo(f"{found.name} is being drained: no run starts until `nova drain --undo`.", err=True)
    cause = f"nova drain by {draining.by}" + (f": {reason}" if reason else "")
    work = Work(watch=watch, cause=cause if stops else None)
    try:
        left = work.wait(seconds)
    except KeyboardInterrupt:
        click.echo("Still being drained: run it again to go on, or `nova drain --undo` to let runs start.", err=True)
        raise
    tell(mark, draining, work.stopped, left, seconds, as_json=as_json)
    return ExitCode.FAILED if left else ExitCode.OK


def _checked(
    *, stops: bool, undo: bool, timeout: str, reason: str, name: str | None, customization: str | None
) -> float:
    """Return the timeout in seconds; raise BadInputError with every problem of the options."""
    problems: list[str] = []
    age = _TIMEOUT.fullmatch(timeout.strip())
    if age is None:
        problems.append(f"--timeout {timeout} is no time: a number with s, m, h or d, such as 30m")
    if undo and stops:
        problems.append("--undo lets runs start, --stop ends them: give one of the two")
    if reason and not stops:
        problems.append("--reason is for the record of runs that --stop ends")
    if name and customization:
        problems.append(f"the customization is named twice, {name} and --customization {customization}")
    if problems:
        raise BadInputError("; ".join(problems), do="see `nova drain --help`")
    assert age is not None
    return float(int(age[1]) * _UNITS[age[2]])


def _find(name: str | None, stack: str | None, customization: str | None) -> Customization:
    wanted = name or customization
    of_stack, slash, inside = (wanted or "").partition("/")
    if slash and stack not in (None, of_stack):
        raise BadInputError("two stacks are named", received=f"{stack} and {wanted}", do="leave out --stack")
    if slash:
        stack, wanted = of_stack, inside.rpartition("/")[2]
    return find(aws.client("cloudformation"), stack=stack, customization=wanted)


def _confirm(running: Sequence[str], *, as_json: bool) -> None:
    if not running:
        return
    if as_json or not sys.stdin.isatty():
        raise BadInputError(
            f"{len(running)} would be stopped, and nobody is here to confirm it",
            received=", ".join(running),
            do="add --yes, or leave out --stop to wait for their end",
        )
    if not click.confirm(f"Stop {len(running)}: {', '.join(running)}?", err=True):
        raise BadInputError("nothing was stopped and nothing is drained", do="run it without --stop to wait")


def _undo(mark: Mark, seconds: float, *, as_json: bool) -> int:
    left = wait_for(mark.ending, seconds, lambda run_id: f"run {run_id}, which was turned away, is ending")
    if left:
        raise CommandError(
            f"{len(left)} of the runs that were turned away have not ended after {times.duration(seconds)}: "
            f"{', '.join(left)}; the customization is still drained"
        )
    told = mark.end()
    tell_undone(mark.customization, told, as_json=as_json)
    return ExitCode.OK
