"""Follows a run until it ends."""

from __future__ import annotations

from nova_constructs.cli import history
from nova_constructs.cli.interrupts import Interrupts
from nova_constructs.cli.progress import Progress
from nova_constructs.cli.runs import Runs

_POLL_SECONDS = 0.3


def watch(runs: Runs, run_id: str, interrupts: Interrupts, progress: Progress) -> None:
    """Show the run's stages and jobs until its execution has ended."""
    ended = False
    while not ended:
        # Asked before the history, so that the last look at the history holds everything.
        ended = runs.describe(run_id)["status"] != "RUNNING"
        stages = history.stages(runs.history(run_id))
        progress.show(stages, {} if ended else runs.activity(run_id))
        if not ended:
            interrupts.wait(_POLL_SECONDS)
