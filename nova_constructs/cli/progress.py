"""Progress on stderr: a table that lives on a terminal, one line per change in a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from nova_constructs.cli import output, times
from nova_constructs.cli.history import Stage

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

_MARKS = {"RUNNING": "…", "SUCCEEDED": "✓", "FAILED": "✗", "ABORTED": "✗"}
_STYLES = {"RUNNING": "cyan", "SUCCEEDED": "green", "FAILED": "red", "ABORTED": "red"}


class Progress(Protocol):
    """Shows what happens while it happens."""

    def say(self, text: str) -> None:
        """Name the step that starts now."""

    def show(self, stages: Sequence[Stage], jobs: Mapping[str, str]) -> None:
        """Show the stages so far; `jobs` says what the live job of each stage does."""


@contextmanager
def open_progress() -> Iterator[Progress]:
    """Give the progress display that suits stderr, and end it at the end of the block."""
    console = output.console(stderr=True)
    if not console.is_terminal:
        yield LineProgress(console)
        return
    from rich.live import Live

    with Live(console=console, refresh_per_second=8, transient=False) as live:
        progress = LiveProgress(live)
        try:
            yield progress
        finally:
            progress.finish()


class LineProgress:
    """Print a line when a step starts and when a stage ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._ended: set[int] = set()
        self._jobs: dict[str, str] = {}

    def say(self, text: str) -> None:
        """Name the step that starts now."""
        self._console.print(text, markup=False)

    def show(self, stages: Sequence[Stage], jobs: Mapping[str, str]) -> None:
        """Print what is new."""
        for name, doing in jobs.items():
            if self._jobs.get(name) != doing:
                self._console.print(f"    {name}: {doing}", markup=False)
        self._jobs.update(jobs)
        for number, stage in enumerate(stages):
            if stage.exited is not None and number not in self._ended:
                self._ended.add(number)
                self._console.print(f"  {stage_line(stage)}", markup=False)


class LiveProgress:
    """Redraw the steps and stages in place."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._said: list[str] = []
        self._finished = False
        self._stages: Sequence[Stage] = ()
        self._jobs: Mapping[str, str] = {}

    def say(self, text: str) -> None:
        """Name the step that starts now."""
        self._said.append(text)
        self._draw()

    def show(self, stages: Sequence[Stage], jobs: Mapping[str, str]) -> None:
        """Redraw with the stages so far."""
        self._stages, self._jobs = stages, jobs
        self._draw()

    def finish(self) -> None:
        """Let the last step stand still: whether it went well is for whoever ends the display to say."""
        self._finished = True
        self._draw()

    def _draw(self) -> None:
        self._live.update(self._rendered())

    def _rendered(self) -> RenderableType:
        from rich.console import Group
        from rich.spinner import Spinner
        from rich.text import Text

        done = [Text(f"✓ {text}", style="green") for text in self._said[:-1]]
        now: list[RenderableType] = []
        for text in self._said[-1:]:
            step = Text(text, style="bold")
            now.append(Text("• ").append_text(step) if self._finished else Spinner("dots", text=step))
        stages = [Text(f"  {stage_line(stage)}", style=_STYLES[stage.status]) for stage in self._stages]
        jobs = [Text(f"    {name}: {doing}", style="dim") for name, doing in self._jobs.items()]
        return Group(*done, *now, *stages, *jobs)


def stage_line(stage: Stage) -> str:
    """Return a stage as one line: mark, name, duration on the execution's clock, error."""
    took = times.between(stage.entered, stage.exited) if stage.exited else ""
    line = f"{_MARKS[stage.status]} {stage.name:<28} {took:>11}"
    return (f"{line}  {stage.error}" if stage.error else line).rstrip()
