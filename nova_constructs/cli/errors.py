"""Errors of the command line: each carries its message and its exit code."""

from __future__ import annotations

import sys
from typing import IO, Any

import click

from nova_constructs.cli import output
from nova_constructs.cli.exits import ExitCode


class CommandError(click.ClickException):
    """Report that what was asked could not be done: exit code 1."""

    exit_code = ExitCode.FAILED

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the message to stderr."""
        click.echo(output.harmless_lines(f"Error: {self.format_message()}"), file=file or sys.stderr)


class BadInputError(CommandError):
    """Refuse what the user gave, before anything started: exit code 2.

    The message says what is wrong, the value received, what is allowed and what to do.
    """

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, what: str, *, received: object = None, allowed: str | None = None, do: str) -> None:
        lines = [what]
        if received is not None:
            lines.append(f"  received: {received}")
        if allowed is not None:
            lines.append(f"  allowed:  {allowed}")
        lines.append(f"  do:       {do}")
        super().__init__("\n".join(lines))
