"""Amazon CloudWatch Logs by the emulator's clock: moto refuses events that are more than two hours ahead of its own."""

from __future__ import annotations

from datetime import datetime

from moto.logs import models

from nova_constructs.emulator.patches import Patches
from nova_constructs.emulator.simulators.state import SimulatorState, Undo


def install(state: SimulatorState) -> Undo:
    """Let log groups, streams and events be dated and judged by the simulated time."""

    def now() -> datetime:
        return state.clock.now().replace(tzinfo=None)

    patches = Patches()
    patches.replace(models, "utcnow", now)
    return patches.undo
