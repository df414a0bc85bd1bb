"""Write the lines of a job's log as its simulated time passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from nova_constructs.emulator.simulators.training_log import Script

Line = tuple[datetime, int, str]
"""When a line is written, by which instance (1 and up), and its text."""

_WRITING = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the time of the work at which the lines so far are sent to CloudWatch Logs."""


def play(
    script: Script,
    *,
    begun: datetime,
    seconds: float,
    until: float,
    wait: Callable[[datetime], None],
    write: Callable[[Sequence[Line]], None],
    now: Callable[[], datetime],
    ends: tuple[type[Exception], ...],
) -> None:
    """Spend a share of the time of the work, and write the lines whose time has come every now and then.

    `wait` may end it with one of `ends`; the lines up to then are written first.
    """
    due = [(begun + timedelta(seconds=seconds * line.share), line.node, line.text) for line in script]
    written = 0
    for mark in _WRITING:
        if mark > until:
            break
        instant = begun + timedelta(seconds=seconds * mark)
        try:
            wait(instant)
        except ends:
            write([line for line in due[written:] if line[0] <= min(instant, now())])
            raise
        lines = [line for line in due[written:] if line[0] <= instant]
        write(lines)
        written += len(lines)
