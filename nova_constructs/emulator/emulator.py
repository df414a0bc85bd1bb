"""The embedded AWS: one local server that the real template, code and policies run on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from nova_constructs.emulator.clock import SimulatedClock
from nova_constructs.emulator.simulation import Simulation
from nova_constructs.emulator.state import OPERATOR_ACCESS_KEY, OPERATOR_SECRET_KEY, EmulatorState, Undo

_running = threading.Lock()


class EmulatorError(Exception):
    """The emulator cannot do what was asked; the message says what to change."""


class Emulator:
    """One embedded AWS account and Region on 127.0.0.1; at most one runs per process."""

    def __init__(
        self,
        *,
        port: int = 0,
        speed: float = 600.0,
        account: str = "123456789012",
        region: str = "us-east-1",
        simulation: Simulation | None = None,
    ) -> None:
        """Prepare an emulator; `port` 0 takes a free one, `speed` is simulated seconds per idle second."""
        from nova_constructs.emulator.simulators.faults import Faults

        self._port = port
        self._undo: list[Undo] = []
        self.state = EmulatorState(
            account=account,
            region=region,
            clock=SimulatedClock(speed),
            faults=Faults(),
            simulation=simulation or Simulation(),
        )

    @property
    def endpoint(self) -> str:
        """Return the URL that clients use, such as http://localhost:4566."""
        return self.state.endpoint

    @property
    def clock(self) -> SimulatedClock:
        """Return the clock of everything that is emulated."""
        return self.state.clock

    @property
    def faults(self) -> Any:
        """Return the faults to inject."""
        return self.state.faults

    @property
    def calls(self) -> Any:
        """Return the recorder of every API call and its IAM decision."""
        return self.state.calls

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that point any AWS client at this emulator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": OPERATOR_ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": OPERATOR_SECRET_KEY,
            "AWS_DEFAULT_REGION": self.state.region,
            "AWS_REGION": self.state.region,
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen and take over moto; raises EmulatorError if the port is taken or another emulator runs."""
        if not _running.acquire(blocking=False):
            raise EmulatorError("another emulator runs in this process; stop it first")
        self._undo.append(_running.release)
        try:
            for install in _parts():
                self._undo.append(install(self.state))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every thread and process of the emulator and restore moto; safe to call twice."""
        while self._undo:
            self._undo.pop()()


def _parts() -> list[Callable[[EmulatorState], Undo]]:
    """Return the installers in order; they are undone in reverse."""
    from nova_constructs.emulator import simulators
    from nova_constructs.emulator.iam import guard

    return [guard.install, simulators.install]
