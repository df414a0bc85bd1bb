"""The events of CloudWatch alarms: moto keeps the state of an alarm and tells nobody."""

from __future__ import annotations

from typing import Any

from moto.cloudwatch.models import CloudWatchBackend

from nova_constructs.emulator.events.bus import Bus
from nova_constructs.emulator.patches import Patches
from nova_constructs.emulator.state import EmulatorState

DETAIL_TYPE = "CloudWatch Alarm State Change"


def patch_alarms(state: EmulatorState, bus: Bus, patches: Patches) -> None:
    """Put an event on the bus for each change of an alarm's state by SetAlarmState; metrics change none here."""
    original = CloudWatchBackend.set_alarm_state

    def set_alarm_state(
        self: CloudWatchBackend, alarm_name: str, reason: str, reason_data: str, state_value: str
    ) -> None:
        known = self.alarms.get(alarm_name)
        before = known.state_value if known else ""
        original(self, alarm_name, reason, reason_data, state_value)
        if known and before != state_value:
            now = state.clock.now().strftime("%Y-%m-%dT%H:%M:%S.000+0000")
            detail: dict[str, Any] = {
                "alarmName": alarm_name,
                "state": {"value": state_value, "reason": reason, "timestamp": now},
                "previousState": {"value": before},
                "configuration": {"description": known.description},
            }
            bus.put("aws.cloudwatch", DETAIL_TYPE, detail, [known.alarm_arn])

    patches.replace(CloudWatchBackend, "set_alarm_state", set_alarm_state)
