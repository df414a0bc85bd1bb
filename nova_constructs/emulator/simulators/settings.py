"""The settings of one piece of simulated work, after the hooks of `Simulation` had their say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nova_constructs.emulator.simulation import Simulation


def settings_for(simulation: Simulation, request: Mapping[str, Any]) -> Simulation:
    """Return the settings for a create request; each hook may change some for this request alone."""
    for hook in simulation.hooks:
        simulation = replace(simulation, **hook(request))
    return simulation
