"""When alarms are looked at: at the end of each of their periods, which begin at multiples of their length."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Any, Final

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import CloudWatchBackend, cloudwatch_backends

from nova_constructs.emulator.alarms.changes import Changes
from nova_constructs.emulator.alarms.definition import Definition, as_properties, problems
from nova_constructs.emulator.alarms.judging import INSUFFICIENT_DATA
from nova_constructs.emulator.alarms.metrics import Metrics
from nova_constructs.emulator.clock import TimerHandle
from nova_constructs.emulator.patches import Patches
from nova_constructs.emulator.state import EmulatorState

UNCHECKED: Final = "Unchecked: Initial alarm creation"


class Watch:
    """The timers of all alarms."""

    def __init__(self, state: EmulatorState, metrics: Metrics) -> None:
        self._state, self._metrics = state, metrics
        self._timers: dict[str, TimerHandle] = {}
        self._lock = threading.Lock()

    def begin(self, name: str, definition: Definition) -> None:
        """Look at an alarm from now on; what was known of it before is forgotten."""
        self.end(name)
        self._plan(name, definition)

    def end(self, name: str) -> None:
        """Look at an alarm no more."""
        with self._lock:
            timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def forget(self) -> None:
        """Look at no alarm any more."""
        for name in list(self._timers):
            self.end(name)

    def _plan(self, name: str, definition: Definition) -> None:
        now = self._state.clock.now().timestamp()
        end = (int(now) // definition.period + 1) * definition.period
        due = datetime.fromtimestamp(end, UTC)
        with self._lock:
            self._timers[name] = self._state.clock.call_at(due, lambda: self._look(name, definition, end))

    def _look(self, name: str, definition: Definition, end: int) -> None:
        backend = cloudwatch_backends[self._state.account][self._state.region]
        alarm = backend.alarms.get(name)
        if alarm is None:
            return
        for measure in definition.measures.values():
            if measure.key.namespace == "AWS/SQS":
                last = datetime.fromtimestamp(end - 1, UTC)
                self._metrics.look_at_queue(measure.key, self._state.account, self._state.region, last)
        values = definition.values(self._metrics, end)
        found = definition.rule.judge(values, alarm.state_value)
        if found != alarm.state_value:
            told = ", ".join("-" if each is None else f"{each:g}" for each in values)
            rule = definition.rule
            reason = (
                f"{rule.needed} of {rule.periods} periods of {definition.period} s compared with {rule.threshold:g} "
                f"({rule.comparison}): the values are {told}."
            )
            backend.set_alarm_state(name, reason, json.dumps({"recentDatapoints": values}), found)
        self._plan(name, definition)


def patch_alarms(watch: Watch, changes: Changes, patches: Patches) -> None:
    """Look at alarms as long as they are there, and tell of every change of their states."""
    put, delete, set_state = (
        CloudWatchBackend.put_metric_alarm,
        CloudWatchBackend.delete_alarms,
        CloudWatchBackend.set_alarm_state,
    )

    def put_metric_alarm(self: CloudWatchBackend, name: str, **options: Any) -> Any:
        known = self.alarms.get(name)
        alarm = put(self, name=name, **options)
        if refused := list(problems(as_properties(alarm))):
            del self.alarms[name]
            raise ValidationError(f"The emulator does not emulate {'; '.join(refused)}")
        # moto begins with OK; on AWS an alarm knows nothing at first, and keeps its state when it is changed.
        alarm.state_value = known.state_value if known else INSUFFICIENT_DATA
        alarm.state_reason = known.state_reason if known else UNCHECKED
        watch.begin(name, Definition.of(alarm))
        return alarm

    def delete_alarms(self: CloudWatchBackend, alarm_names: list[str]) -> None:
        for name in alarm_names:
            watch.end(name)
        delete(self, alarm_names)

    def set_alarm_state(
        self: CloudWatchBackend, alarm_name: str, reason: str, reason_data: str, state_value: str
    ) -> None:
        alarm = self.alarms.get(alarm_name)
        before = (alarm.state_value, alarm.state_reason) if alarm else ("", "")
        set_state(self, alarm_name, reason, reason_data, state_value)
        if alarm and before[0] != state_value:
            changes.tell(alarm, *before)

    patches.replace(CloudWatchBackend, "put_metric_alarm", put_metric_alarm)
    patches.replace(CloudWatchBackend, "delete_alarms", delete_alarms)
    patches.replace(CloudWatchBackend, "set_alarm_state", set_alarm_state)
