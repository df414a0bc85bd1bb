"""CloudWatch alarms: evaluated on the emulator's clock from the metrics that are put and those of services.

metrics.py   what was measured            definition.py  what an alarm watches, and what cannot be honoured
judging.py   from values to a state       expressions.py metric math
watch.py     when alarms are looked at    changes.py     what a change of state tells, and to whom
"""

from __future__ import annotations

from nova_constructs.emulator.alarms.changes import Changes
from nova_constructs.emulator.alarms.metrics import Metrics, patch_metrics
from nova_constructs.emulator.alarms.watch import Watch, patch_alarms
from nova_constructs.emulator.events.bus import Bus
from nova_constructs.emulator.events.delivery import Deliveries
from nova_constructs.emulator.patches import Patches
from nova_constructs.emulator.state import EmulatorState


def install(state: EmulatorState, bus: Bus, deliveries: Deliveries, patches: Patches) -> Watch:
    """Take in metrics and look at every alarm at the end of each of its periods."""
    metrics = Metrics(state.clock.now)
    state.put_metric = metrics.put
    watch = Watch(state, metrics)
    patch_metrics(metrics, patches)
    patch_alarms(watch, Changes(state, bus, deliveries), patches)
    state.on_reset(metrics.clear)
    state.on_reset(watch.forget)
    return watch
