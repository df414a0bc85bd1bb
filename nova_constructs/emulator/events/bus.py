"""The default event bus: events of services and of PutEvents, matched against the rules."""

from __future__ import annotations

import json
import threading
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
    """Puts events on the bus; a fault may lose, repeat, delay or reorder them."""

    def __init__(self, state: EmulatorState, deliveries: Deliveries) -> None:
        self._state = state
        self._deliveries = deliveries
        self._held: list[tuple[Mapping[str, Any], str]] = []
        """Events that wait for those which a fault lets overtake them."""

    def put(self, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()) -> None:
        """Put an event of an AWS service on the default bus."""
        # Written and read again, so that a rule sees the event as it is now and as JSON has it.
        self.publish(json.loads(json.dumps(self._envelope(source, detail_type, detail, resources))))

    def publish(self, event: Mapping[str, Any], bus_name: str = "default") -> None:
        """Offer an event to the rules of a bus, as often, as late and in the order that faults want it."""
        faults, kind = self._state.faults, event["detail-type"]
        for _ in range(faults.copies_of_event(kind)):
            pause = faults.delay_of_event(kind)
            if pause:
                self._state.clock.call_later(pause, lambda: self._offer_to_all(event, bus_name))
                continue
            outstanding = faults.outstanding_of_reversal(kind)
            if outstanding is None:
                self._offer_to_all(event, bus_name)
                self._let_go(kind)
                continue
            self._held.append((event, bus_name))
            while not outstanding and self._held:
                self._offer_to_all(*self._held.pop())

    def _let_go(self, kind: str) -> None:
        """Offer what is still held of a detail type for which no fault holds anything back any more."""
        for held in [each for each in self._held if each[0]["detail-type"] == kind]:
            self._held.remove(held)
            self._offer_to_all(*held)

    def _offer_to_all(self, event: Mapping[str, Any], bus_name: str) -> None:
        for rule in list(
            events_backends[self._state.account][self._state.region].describe_event_bus(bus_name).rules.values()
        ):
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
    seen = threading.local()

    def send(rule: Any, original_event: Mapping[str, Any], transform_input: bool = True) -> None:  # noqa: ARG001
        # moto offers each event to one rule after the other: the first offer goes to all of them, through the faults.
        if getattr(seen, "event_id", None) != original_event["id"]:
            seen.event_id = original_event["id"]
            bus.publish(_with_text_time(original_event), rule.event_bus_name)

    patches.replace(Rule, "send_to_targets", send)


def _with_text_time(event: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in event.items() if name not in {"ingestion-time", "replay-name"}}
    if not isinstance(plain["time"], str):
        plain["time"] = datetime.fromtimestamp(float(plain["time"]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return plain
