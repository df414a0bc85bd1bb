"""An embedded AWS for running the deployed workflow on one machine (extra: `emulator`)."""

from __future__ import annotations

from nova_constructs.emulator.cloudformation.preflight import UnsupportedTemplate
from nova_constructs.emulator.deploy import DeploymentError, StackDeployment
from nova_constructs.emulator.emulator import Emulator, EmulatorError
from nova_constructs.emulator.simulation import Simulation

__all__ = ["DeploymentError", "Emulator", "EmulatorError", "Simulation", "StackDeployment", "UnsupportedTemplate"]
