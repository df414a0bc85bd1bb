"""CloudFormation for the resource types of our stacks; whatever it would not honour, it refuses."""

from __future__ import annotations

from nova_constructs.emulator.state import EmulatorState, Undo


def install(state: EmulatorState) -> Undo:
    """Let moto's stacks make their resources with our engine."""
    from nova_constructs.emulator.cloudformation import engine

    return engine.install(state)
