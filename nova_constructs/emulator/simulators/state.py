"""The emulator's state as the simulators see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from nova_constructs.emulator.clock import SimulatedClock
from nova_constructs.emulator.simulation import Simulation
from nova_constructs.emulator.simulators.faults import Faults

Undo = Callable[[], object]


class SimulatorState(Protocol):
    """The parts of `EmulatorState` that the simulators use."""

    account: str
    region: str
    clock: SimulatedClock
    faults: Faults
    simulation: Simulation

    def put_service_event(
        self, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()
    ) -> None:
        """Hand an event of an AWS service to the default event bus."""

    def boto_client_as(self, role_arn: str, service_principal: str, service: str, source_arn: str) -> Any:
        """Return a client that acts under a role which a service has assumed; refused as the role's trust says."""

    def on_halt(self, function: Callable[[], object]) -> None:
        """Run a function to end running work, before anything is taken away."""

    def on_reset(self, function: Callable[[], object]) -> None:
        """Run a function whenever the emulator forgets its resources."""
