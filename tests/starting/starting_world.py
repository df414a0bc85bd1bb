"""Everything around the intake, in memory: tables, a state machine that runs nothing, and a clock."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from lambda_handlers.protocol.clock import iso
from lambda_handlers.protocol.runs import close_run, open_run
from lambda_handlers.protocol.stepfunctions import ExecutionState
from lambda_handlers.starting.arrivals import WAITING_INDEX, Arrival, Arrivals
from lambda_handlers.starting.dispatching import Dispatcher
from lambda_handlers.starting.intake import Intake
from tests.protocol.protocol_memory import MemoryItemStore, Step, run_control

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:demo"
BUCKET = "incoming"
DATASETS: dict[str, Any] = {"name": "Data", "kind": "dataset", "quiet_seconds": 60, "longest_seconds": 3600}


class StartingWorld:
    """Starts executions as Step Functions does: a name is taken for good."""

    def __init__(self, step: Step[Any] | None = None, *, defers: bool = False) -> None:
        self.defers = defers
        self.step: Step[Any] = step or (lambda _label, act: act())
        self.instant = datetime(2026, 1, 1, tzinfo=UTC)
        self.table = MemoryItemStore("arrivals", "trigger", "arrival", {WAITING_INDEX: "waiting_marker"}, self.step)
        self.control = run_control(self.step)
        self.executions: dict[str, dict[str, Any]] = {}
        self.ended: set[str] = set()
        self.objects: dict[str, bytes] = {}
        self.outputs: dict[str, str] = {}
        self.unknown: set[str] = set()
        self._sequence = itertools.count(1)
        self._ids = itertools.count(1)

    # Ports

    def now(self) -> datetime:
        return self.instant

    def start(self, name: str, document: Mapping[str, Any]) -> str:
        return self.step("start execution", lambda: self._start(name, dict(document)))  # type: ignore[no-any-return]

    def write(self, key: str, body: bytes) -> str:
        self.step("write object", lambda: self.objects.__setitem__(key, body))
        return f"s3://artifacts/{key}"

    def describe(self, execution_arn: str) -> ExecutionState:
        name = execution_arn.rsplit(":", 1)[1]
        status = "ABORTED" if name in self.unknown else "SUCCEEDED" if name in self.ended else "RUNNING"
        state = ExecutionState(arn=execution_arn, status=status, output=self.outputs.get(name, ""))
        return self.step("describe execution", lambda: state)  # type: ignore[no-any-return]

    def _start(self, name: str, document: dict[str, Any]) -> str:
        self.executions.setdefault(name, document)
        return f"{MACHINE.replace('stateMachine', 'execution')}:{name}"

    # What is under test

    @property
    def arrivals(self) -> Arrivals:
        return Arrivals(self.table)

    @property
    def dispatcher(self) -> Dispatcher:
        return Dispatcher(
            arrivals=self.arrivals,
            control=self.control,
            starter=self,
            executions=self,
            clock=self,
            defers=self.defers,
        )

    @property
    def intake(self) -> Intake:
        return Intake(dispatcher=self.dispatcher, output_of=lambda arn: self.outputs.get(arn, ""))

    def tell(self, message: Mapping[str, Any]) -> dict[str, Any]:
        return self.intake.take(message)

    def dispatch(self) -> list[str]:
        started: list[str] = self.intake.take({"dispatch": True})["started"]
        return started

    # What happens

    def pass_time(self, **duration: float) -> None:
        self.instant += timedelta(**duration)

    def run_begins(self, name: str) -> None:
        open_run(self.control, name, f"{MACHINE}:{name}", self.instant)

    def run_ends(self, name: str) -> None:
        self.ended.add(name)
        close_run(self.control, name)

    def run_is_turned_away(self, name: str) -> None:
        """End a run that met another."""
        self.outputs[name] = json.dumps({"status": "SKIPPED", "turned_away": True})
        self.run_ends(name)

    def upload(self, key: str, *, size: int = 10, **changes: Any) -> dict[str, Any]:
        """Return the message of an object written under a key, each time another version."""
        number = next(self._sequence)
        written = {"key": key, "size": size, "version-id": f"v{number}", "sequencer": f"{number:016X}"}
        return self.event({**DATASETS, **changes}, {"bucket": {"name": BUCKET}, "object": written})

    def event(self, trigger: Mapping[str, Any], detail: Mapping[str, Any]) -> dict[str, Any]:
        event = {"id": f"event-{next(self._ids)}", "time": iso(self.instant), "detail": dict(detail)}
        return {"trigger": dict(trigger), "event": event}

    def status_of(self, message: Mapping[str, Any]) -> tuple[str, str]:
        """Return what became of an arrival and in which run."""
        return next((each.status, each.run) for each in self.all_arrivals() if _told_by(each, message))

    def all_arrivals(self) -> list[Arrival]:
        keys = [(str(item["trigger"]), str(item["arrival"])) for item in self.table.items.values()]
        found = [self.arrivals.get(t, key.removeprefix("arrival#")) for t, key in keys if key.startswith("arrival#")]
        return [each for each in found if each]


def _told_by(arrival: Arrival, message: Mapping[str, Any]) -> bool:
    written = message["event"]["detail"].get("object", {})
    known_by = written.get("version-id") or message["event"]["id"]
    return arrival.trigger.name == message["trigger"]["name"] and arrival.facts["event"] == known_by
