"""What is printed where: data on stdout, progress and errors on stderr, colour on a terminal only."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from unicodedata import category

import click

if TYPE_CHECKING:
    from rich.console import Console

P = ParamSpec("P")
R = TypeVar("R")

# Wide enough that nothing is folded or cut where no terminal sets a width.
_PIPE_WIDTH = 100_000

STATUS_STYLES = {
    "SUCCEEDED": "bold green",
    "PASSED": "bold green",
    "DRY_RUN": "green",
    "RUNNING": "cyan",
    "QUEUED": "cyan",
    "AWAITING_APPROVAL": "yellow",
    "REJECTED": "bold yellow",
    "SKIPPED": "yellow",
    "FAILED": "bold red",
    "ABORTED": "red",
    "TIMED_OUT": "bold red",
}


def json_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add `--json` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else.")(
        command
    )


def print_json(document: Any) -> None:
    """Write one JSON document to stdout: indented on a terminal, one line in a pipe."""
    indent = 2 if sys.stdout.isatty() else None
    click.echo(json.dumps(document, indent=indent, default=_jsonable, ensure_ascii=False))


def console(*, stderr: bool = False) -> Console:
    """Return a console on stdout or stderr: plain and unfolded unless that stream is a terminal."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    if stream.isatty():
        return Console(file=stream, highlight=False, no_color=bool(os.environ.get("NO_COLOR")))
    return Console(file=stream, highlight=False, color_system=None, width=_PIPE_WIDTH, soft_wrap=True)


def status_text(status: str) -> str:
    """Return a status as rich markup in the colour that it has everywhere."""
    style = STATUS_STYLES.get(status)
    return f"[{style}]{status}[/]" if style else status


def print_rows(to: Console, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: ruled on a terminal, aligned columns without rules or folding in a pipe.

    Cells may hold rich markup; text that is not ours must be escaped by the caller.
    """
    if not to.is_terminal:
        _print_plain_rows(to, [headers, *rows])
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(*headers, box=SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        table.add_row(*row)
    to.print(table)


def harmless(text: str) -> str:
    """Return text that is not ours with its control characters as escapes: it may command no terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def harmless_lines(text: str) -> str:
    """Return text whose lines are ours and whose words may not be, as `harmless` returns one line."""
    return "\n".join(map(harmless, text.split("\n")))


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii") if category(char) in ("Cc", "Cf", "Cs") else char


def _print_plain_rows(to: Console, rows: Sequence[Sequence[str]]) -> None:
    from rich.text import Text

    cells = [[Text.from_markup(cell).plain for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        to.print(line.rstrip(), markup=False)


def _jsonable(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} does not go into JSON")
