"""Schedules of EventBridge Scheduler and schedule rules, fired on the emulator's clock.

A rate starts to count when the schedule is made or changed; flexible windows fire at their start.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from moto.events.models import EventsBackend
from moto.scheduler.models import EventBridgeSchedulerBackend

from nova_constructs.emulator.clock import TimerHandle
from nova_constructs.emulator.events.bus import Bus
from nova_constructs.emulator.events.delivery import Deliveries
from nova_constructs.emulator.events.expressions import next_due
from nova_constructs.emulator.events.targets import SCHEDULER, Sender
from nova_constructs.emulator.patches import Patches
from nova_constructs.emulator.state import EmulatorState


class Planner:
    """The timers of all schedules."""

    def __init__(self, state: EmulatorState, bus: Bus, deliveries: Deliveries) -> None:
        self._state = state
        self._bus = bus
        self._deliveries = deliveries
        self._timers: dict[str, TimerHandle] = {}
        self._lock = threading.Lock()

    def plan_schedule(self, schedule: Any) -> None:
        """Plan the next time of a schedule of EventBridge Scheduler."""
        if schedule.state == "DISABLED":
            self.drop(schedule.arn)
            return
        zone = schedule.schedule_expression_timezone or "UTC"
        self._plan(schedule.arn, schedule.schedule_expression, zone, lambda due: self._fire_schedule(schedule, due))

    def plan_rule(self, rule: Any) -> None:
        """Plan the next time of a rule that has a schedule."""
        if not rule.scheduled_expression or rule.state == "DISABLED":
            self.drop(rule.arn)
            return
        self._plan(rule.arn, rule.scheduled_expression, "UTC", lambda _due: self._fire_rule(rule))

    def drop(self, arn: str) -> None:
        """Forget a schedule."""
        with self._lock:
            timer = self._timers.pop(arn, None)
        if timer is not None:
            timer.cancel()

    def forget(self) -> None:
        """Forget every schedule."""
        for arn in list(self._timers):
            self.drop(arn)

    def _plan(self, arn: str, expression: str, zone: str, fire: Callable[[datetime], None]) -> None:
        self.drop(arn)
        due = next_due(expression, self._state.clock.now(), zone)
        if due is None:
            return
        with self._lock:
            self._timers[arn] = self._state.clock.call_at(due, lambda: fire(due))

    def _fire_rule(self, rule: Any) -> None:
        self._bus.send(rule, self._bus.scheduled_event(rule))
        self.plan_rule(rule)

    def _fire_schedule(self, schedule: Any, due: datetime) -> None:
        if self._within(schedule):
            target = schedule.target
            payload = self._input(schedule, due)
            sender = Sender(principal=SCHEDULER, arn=schedule.arn, source_arn=self._group_arn(schedule))
            self._deliveries.send(sender, target, payload)
        self.plan_schedule(schedule)

    def _input(self, schedule: Any, due: datetime) -> str:
        """Return the target's input with the context attributes filled in (Scheduler user guide, "Adding context")."""
        text = str(schedule.target.get("Input") or json.dumps({}))
        for name, value in (
            ("schedule-arn", schedule.arn),
            ("scheduled-time", due.strftime("%Y-%m-%dT%H:%M:%SZ")),
            ("execution-id", uuid.uuid4().hex[:16]),
            ("attempt-number", "1"),
        ):
            text = text.replace(f"<aws.scheduler.{name}>", value)
        return text

    def _group_arn(self, schedule: Any) -> str:
        """Return what roles see as aws:SourceArn: the group (Scheduler user guide, confused deputy prevention)."""
        return str(schedule.arn).replace(":schedule/", ":schedule-group/").rsplit("/", 1)[0]

    def _within(self, schedule: Any) -> bool:
        now = self._state.clock.now()
        start, end = (_instant(moment) for moment in (schedule.start_date, schedule.end_date))
        return (start is None or now >= start) and (end is None or now <= end)


def _instant(moment: Any) -> datetime | None:
    if moment is None:
        return None
    if isinstance(moment, int | float):
        return datetime.fromtimestamp(moment, UTC)
    parsed = moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment))
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def patch_schedules(planner: Planner, patches: Patches) -> None:
    """Plan whatever the APIs of EventBridge and EventBridge Scheduler make, change or delete."""
    backend = EventBridgeSchedulerBackend
    for name in ("create_schedule", "update_schedule"):
        _patch_put(planner, patches, name)
    delete, put_rule, delete_rule = backend.delete_schedule, EventsBackend.put_rule, EventsBackend.delete_rule

    def deleted(self: Any, group_name: str | None, name: str) -> None:
        planner.drop(self.get_schedule(group_name, name).arn)
        delete(self, group_name, name)

    def rule_put(self: Any, *args: Any, **options: Any) -> Any:
        rule = put_rule(self, *args, **options)
        planner.plan_rule(rule)
        return rule

    def rule_deleted(self: Any, name: str, event_bus_arn: str | None = None) -> None:
        planner.drop(self.describe_rule(name, event_bus_arn).arn)
        delete_rule(self, name, event_bus_arn)

    patches.replace(backend, "delete_schedule", deleted)
    patches.replace(EventsBackend, "put_rule", rule_put)
    patches.replace(EventsBackend, "delete_rule", rule_deleted)
    _patch_states(planner, patches)


def _patch_put(planner: Planner, patches: Patches, name: str) -> None:
    before = getattr(EventBridgeSchedulerBackend, name)

    def put(self: Any, **options: Any) -> Any:
        schedule = before(self, **options)
        planner.plan_schedule(schedule)
        return schedule

    patches.replace(EventBridgeSchedulerBackend, name, put)


def _patch_states(planner: Planner, patches: Patches) -> None:
    for name in ("enable_rule", "disable_rule"):
        before = getattr(EventsBackend, name)

        def switched(self: Any, rule_name: str, event_bus_arn: str, before: Any = before) -> Any:
            answer = before(self, rule_name, event_bus_arn)
            planner.plan_rule(self.describe_rule(rule_name, event_bus_arn))
            return answer

        patches.replace(EventsBackend, name, switched)
