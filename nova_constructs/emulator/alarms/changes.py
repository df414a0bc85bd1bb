"""What a change of an alarm's state tells: an event on the default bus, and the alarm's actions."""

from __future__ import annotations

import json
from typing import Any, Final

from nova_constructs.emulator.alarms.judging import ALARM, OK
from nova_constructs.emulator.events.bus import Bus
from nova_constructs.emulator.events.delivery import Deliveries
from nova_constructs.emulator.events.targets import Sender
from nova_constructs.emulator.state import EmulatorState

DETAIL_TYPE: Final = "CloudWatch Alarm State Change"
_SENDERS: Final = {"sns": "cloudwatch.amazonaws.com", "lambda": "lambda.alarms.cloudwatch.amazonaws.com"}
"""Whom the policy of a topic or function has to let in (CloudWatch user guide, "Alarm actions")."""


class Changes:
    """Tells of changes."""

    def __init__(self, state: EmulatorState, bus: Bus, deliveries: Deliveries) -> None:
        self._state, self._bus, self._deliveries = state, bus, deliveries

    def tell(self, alarm: Any, before: str, reason_before: str) -> None:
        """Tell that an alarm is in another state than `before`."""
        now = self._state.clock.now().strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        detail: dict[str, Any] = {
            "alarmName": alarm.name,
            "state": {
                "value": alarm.state_value,
                "reason": alarm.state_reason,
                "reasonData": alarm.state_reason_data,
                "timestamp": now,
            },
            "previousState": {"value": before, "reason": reason_before},
            "configuration": {"description": alarm.description},
        }
        self._bus.put("aws.cloudwatch", DETAIL_TYPE, detail, [alarm.alarm_arn])
        if alarm.actions_enabled:
            self._act(alarm, before, now)

    def _act(self, alarm: Any, before: str, now: str) -> None:
        actions = {OK: alarm.ok_actions, ALARM: alarm.alarm_actions}
        message = {
            "AlarmName": alarm.name,
            "AlarmDescription": alarm.description,
            "AWSAccountId": self._state.account,
            "NewStateValue": alarm.state_value,
            "NewStateReason": alarm.state_reason,
            "StateChangeTime": now,
            "Region": self._state.region,
            "AlarmArn": alarm.alarm_arn,
            "OldStateValue": before,
        }
        for arn in actions.get(alarm.state_value, alarm.insufficient_data_actions):
            principal = _SENDERS.get(arn.split(":")[2], "cloudwatch.amazonaws.com")
            sender = Sender(principal=principal, arn=alarm.alarm_arn, source_arn=alarm.alarm_arn)
            self._deliveries.send(sender, {"Arn": arn}, json.dumps(message))
