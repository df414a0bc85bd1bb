"""`nova emulate`: the embedded emulator by itself."""

from __future__ import annotations

import shlex
import socket
import sys
from collections.abc import Mapping
from contextlib import closing

import click

from nova_constructs.cli import output
from nova_constructs.cli.embedded import DEFAULT_SPEED, require_installed, running_emulator
from nova_constructs.cli.errors import BadInputError
from nova_constructs.cli.interrupts import InterruptError, Interrupts

_POLL_SECONDS = 0.5


@click.command(
    epilog="""\b
Examples:
  nova emulate
  nova emulate --port 4566 --speed 60
  nova emulate --port 4566 > emulator.env &
  . ./emulator.env && nova run list
"""
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1. Default: a free one.")
@click.option(
    "--speed",
    type=click.FloatRange(min=1),
    default=DEFAULT_SPEED,
    show_default=True,
    help="How many simulated seconds pass in a second while everything waits.",
)
@output.json_option
def emulate(port: int, speed: float, as_json: bool) -> None:
    """Start the embedded AWS emulator, print the environment that points at it, run until Ctrl-C or SIGTERM.

    AWS is simulated: training, scores, Bedrock hosting and time are not real. Everything is gone when it stops.
    """
    require_installed()
    require_free(port)
    with Interrupts(announce=False) as interrupts, running_emulator(interrupts, port=port, speed=speed) as emulator:
        print_environment(emulator.environment, as_json=as_json)
        click.echo(f"The emulator listens on {emulator.endpoint}. Ctrl-C stops it.", err=True)
        _wait(interrupts)
    click.echo("Stopped.", err=True)


def require_free(port: int) -> None:
    """Raise BadInputError if something listens on a port; 0 stands for any free one."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # As the server does: a port in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise BadInputError(
                f"the port cannot be used: {error.strerror}",
                received=f"--port {port}",
                allowed="a port that nothing listens on, or 0 for any free one",
                do="choose another port, or leave --port out",
            ) from None


def print_environment(environment: Mapping[str, str], *, as_json: bool) -> None:
    """Print the variables as shell `export` lines, or as one JSON object, and flush: a reader may be waiting."""
    if as_json:
        output.print_json(dict(environment))
    else:
        for name, value in environment.items():
            click.echo(f"export {name}={shlex.quote(value)}")
    sys.stdout.flush()


def _wait(interrupts: Interrupts) -> None:
    try:
        while True:
            interrupts.wait(_POLL_SECONDS)
    except InterruptError:
        # Ctrl-C is how this command is meant to end.
        return
