"""A progress bar on stderr, on a terminal and for long inputs only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from nova_constructs.cli import output

if TYPE_CHECKING:
    from rich.progress import Progress

Report = Callable[[int, int], None]
"""Takes how many bytes are done, and of how many."""

_PATIENCE: Final = 0.7  # seconds before a bar appears: short work only flickers


@contextmanager
def progress_bar(doing: str) -> Iterator[Report | None]:
    """Give what the work reports to; None where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    bar = _Bar(doing)
    try:
        yield bar.report
    finally:
        bar.close()


class _Bar:
    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._began = time.monotonic()
        self._shown: Progress | None = None

    def report(self, done: int, total: int) -> None:
        if self._shown is None:
            if time.monotonic() - self._began < _PATIENCE:
                return
            self._shown = _progress()
            self._shown.add_task(self._doing)
            self._shown.start()
        self._shown.update(self._shown.task_ids[0], completed=done, total=total)

    def close(self) -> None:
        if self._shown is not None:
            self._shown.stop()


def _progress() -> Progress:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=output.console(stderr=True), transient=True)
