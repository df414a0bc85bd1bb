"""Waits until nothing is left, and says what it waits for; stops runs where that is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import click

from nova_constructs.cli import aws, output
from nova_constructs.cli.drain.left import RUN, Left, Watch
from nova_constructs.cli.orphans.tagged import stop_job

POLL_SECONDS = 5.0
ERROR_NAME: Final = "Drained"
"""The error with which the execution of a run is stopped."""
T = TypeVar("T")


@dataclass(kw_only=True, slots=True)
class Work:
    """Let a customization come to rest. `cause` is what runs are stopped with, None to let them end by themselves."""

    watch: Watch
    cause: str | None
    stopped: list[str] = field(default_factory=list)
    """The runs, and the jobs that no run waited for, that were told to end."""

    def wait(self, seconds: float) -> list[Left]:
        """Return what is left after so many seconds at most; nothing once all is at rest."""
        return wait_for(self._look, seconds, lambda each: each.sentence, _worth_saying)

    def _look(self) -> list[Left]:
        left = self.watch.look()
        if self.cause is not None:
            self._stop(left, self.cause)
        return left

    def _stop(self, left: Iterable[Left], cause: str) -> None:
        """Stop executions; their jobs are for the workflow to stop, and those that no run waits for are ours to."""
        for each in left:
            if each.name in self.stopped:
                continue
            if each.kind == RUN:
                arn = self.watch.customization.execution_arn(each.run_id)
                aws.client("stepfunctions").stop_execution(executionArn=arn, error=ERROR_NAME, cause=cause[:32768])
                self.stopped.append(each.name)
            elif each.job and not each.job.stopping:
                stop_job(aws.client, each.job)
                self.stopped.append(each.name)


def wait_for(
    look: Callable[[], list[T]],
    seconds: float,
    words: Callable[[T], str],
    worth: Callable[[Sequence[T]], Sequence[T]] = lambda found: found,
) -> list[T]:
    """Look until nothing is found, for so many seconds at most; return what was found last.

    Says on stderr, one line each, what was not there at the look before: `words` of what is `worth` saying.
    """
    end = time.monotonic() + seconds
    told: set[str] = set()
    while found := look():
        lines = [words(each) for each in worth(found)]
        for line in lines:
            if line not in told:
                click.echo(output.harmless(f"  {line}"), err=True)
        told = set(lines)
        if time.monotonic() >= end:
            break
        time.sleep(POLL_SECONDS)
    return found


def _worth_saying(left: Sequence[Left]) -> Sequence[Left]:
    """A run's own line says enough as long as it runs."""
    running = {each.run_id for each in left if each.kind == RUN}
    return [each for each in left if each.kind == RUN or each.run_id not in running]
