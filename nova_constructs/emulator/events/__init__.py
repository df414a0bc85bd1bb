"""EventBridge: rules, targets, schedules, and the events of services, alarms among them."""

from __future__ import annotations

from nova_constructs.emulator import alarms
from nova_constructs.emulator.events.bus import Bus, patch_rules
from nova_constructs.emulator.events.delivery import Deliveries
from nova_constructs.emulator.events.objects import patch_notifications
from nova_constructs.emulator.events.schedules import Planner, patch_schedules
from nova_constructs.emulator.patches import Patches
from nova_constructs.emulator.state import EmulatorState, Undo


def install(state: EmulatorState) -> Undo:
    """Deliver events and fire schedules; undoing it ends the workers."""
    patches = Patches()
    deliveries = Deliveries(state)
    bus = Bus(state, deliveries)
    planner = Planner(state, bus, deliveries)
    silent = state.put_service_event
    state.put_service_event = bus.put
    state.deliveries = deliveries.log
    patch_rules(bus, patches)
    patch_notifications(state, patches)
    patch_schedules(planner, patches)
    watch = alarms.install(state, bus, deliveries, patches)

    def undo() -> None:
        state.put_service_event = silent
        planner.forget()
        watch.forget()
        deliveries.stop()
        patches.undo()

    state.on_reset(planner.forget)
    state.on_reset(deliveries.log.clear)
    return undo
