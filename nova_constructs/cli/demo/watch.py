"""Follows a run until it ends."""

from __future__ import annotations

import time

from nova_constructs.cli import history
from nova_constructs.cli.interrupts import Interrupts
from nova_constructs.cli.progress import Progress
from nova_constructs.cli.runs import Runs

_POLL_SECONDS = 0.3
# The emulator's clock runs at the speed of real time while it answers: looking must stay a small part of the time.
_PAUSE_PER_LOOK = 4


def watch(runs: Runs, run_id: str, interrupts: Interrupts, progress: Progress) -> None:
    """Show the run's stages and jobs until its execution has ended."""
    while True:
        began = time.monotonic()
        events = runs.history(run_id)
        ended = history.ended(events)
        progress.show(history.stages(events), {} if ended else runs.activity(run_id))
        if ended:
            return
        interrupts.wait(max(_POLL_SECONDS, _PAUSE_PER_LOOK * (time.monotonic() - began)))
