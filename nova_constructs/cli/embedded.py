"""Runs the embedded emulator for a command, and says in one message what it cannot do."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nova_constructs.cli.errors import BadInputError, CommandError
from nova_constructs.cli.interrupts import Interrupts

if TYPE_CHECKING:
    from nova_constructs.emulator import Emulator

DEFAULT_SPEED = 600.0


def require_installed() -> None:
    """Raise BadInputError where the emulator's dependencies are not installed."""
    if importlib.util.find_spec("moto") is None:
        raise BadInputError(
            "the emulator is not installed", do="pip install 'nova-constructs[emulator,cli]' in this environment"
        )


@contextmanager
def running_emulator(interrupts: Interrupts, *, port: int = 0, speed: float = DEFAULT_SPEED) -> Iterator[Emulator]:
    """Start the emulator, and stop it at the end of the block whatever happens, signals included.

    What the emulator refuses, at its start or within the block, becomes a CommandError.
    """
    # Here, because it takes a second to import: whoever only asks for help does not wait for it.
    from nova_constructs.emulator import DeploymentError, Emulator, EmulatorError, UnsupportedTemplate

    # The interpreter logs every failed state; without any handler, Python would print that into the progress.
    logging.getLogger().addHandler(logging.NullHandler())
    emulator = Emulator(port=port, speed=speed)
    try:
        emulator.start()
        interrupts.check()
        yield emulator
    except (DeploymentError, EmulatorError, UnsupportedTemplate) as error:
        raise CommandError(str(error)) from error
    finally:
        interrupts.end()
        emulator.stop()
