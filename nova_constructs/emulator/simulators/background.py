"""Work that a service does some simulated time after a request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from nova_constructs.emulator.simulators.state import SimulatorState
from nova_constructs.emulator.simulators.store import Store


class Background:
    """Runs functions later, unless the emulator stops or is reset before."""

    def __init__(self, state: SimulatorState, store: Store) -> None:
        self._state, self._store = state, store

    def after(self, seconds: float, function: Callable[[], None], *, name: str) -> None:
        """Run a function in a thread of its own after some simulated seconds."""
        closed, clock = self._store.closed, self._state.clock
        due = clock.now() + timedelta(seconds=seconds)

        def run() -> None:
            if clock.wait_until(due, closed.is_set) and not closed.is_set():
                try:
                    with clock.busy():
                        function()
                except Exception:
                    # Once the emulator has closed, nothing can be reached and nobody waits for the result.
                    if not closed.is_set():
                        raise

        self._store.start(run, name)
