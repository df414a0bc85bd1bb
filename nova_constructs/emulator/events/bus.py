"""The default event bus: events of services and of PutEvents, matched against the rules."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.events.models import Rule, events_backends

from nova_constructs.emulator.events.delivery import Deliveries
from nova_constructs.emulator.events.inputs import target_input
from nova_constructs.emulator.events.patterns import matches
from nova_constructs.emulator.events.targets import Sender
from nova_constructs.emulator.patches import Patches
from nova_constructs.emulator.state import EmulatorState

PRINCIPAL = "events.amazonaws.com"


class Bus:
    """Puts events on the bus; a fault may lose or repeat them."""

    def __init__(self, state: EmulatorState, deliveries: Deliveries) -> None:
        self._state = state
        self._deliveries = deliveries

    def put(self, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()) -> None:
        """Put an event of an AWS service on the default bus."""
        # Written and read again, so that a rule sees the event as it is now and as JSON has it.
        event = json.loads(json.dumps(self._envelope(source, detail_type, detail, resources)))
        rules = events_backends[self._state.account][self._state.region].describe_event_bus("default").rules
        for _ in range(self._state.faults.copies_of_event(detail_type)):
            for rule in list(rules.values()):
                self.offer(rule, event)

    def offer(self, rule: Any, event: Mapping[str, Any]) -> None:
        """Deliver an event to the targets of a rule if the rule is enabled and matches."""
        pattern = rule.event_pattern.dump()
        if rule.state.startswith("ENABLED") and pattern and matches(json.loads(pattern), event):
            self.send(rule, event)

    def send(self, rule: Any, event: Mapping[str, Any]) -> None:
        """Deliver an event to every target of a rule."""
        sender = Sender(principal=PRINCIPAL, arn=rule.arn, source_arn=rule.arn)
        for target in list(rule.targets):
            self._deliveries.send(sender, target, target_input(target, event, rule.arn), event["id"])

    def scheduled_event(self, rule: Any) -> Mapping[str, Any]:
        """Return the event that a schedule rule makes."""
        return self._envelope("aws.events", "Scheduled Event", {}, [rule.arn])

    def _envelope(
        self, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str]
    ) -> dict[str, Any]:
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": self._state.account,
            "time": self._state.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self._state.region,
            "resources": list(resources),
            "detail": dict(detail),
        }


def patch_rules(bus: Bus, patches: Patches) -> None:
    """Let PutEvents deliver through the bus."""

    def send(rule: Any, original_event: Mapping[str, Any], transform_input: bool = True) -> None:  # noqa: ARG001
        bus.offer(rule, _with_text_time(original_event))

    patches.replace(Rule, "send_to_targets", send)


def _with_text_time(event: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in event.items() if name not in {"ingestion-time", "replay-name"}}
    if not isinstance(plain["time"], str):
        plain["time"] = datetime.fromtimestamp(float(plain["time"]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return plain
