"""The mark in the run control table that lets no run begin, set and taken away with the caller's credentials."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.runs import open_runs
from lambda_handlers.protocol.store import DynamoItemStore, run_control_store
from lambda_handlers.protocol.turns import Draining
from lambda_handlers.starting.arrivals import Arrivals, arrivals_store
from nova_constructs.cli.deployed import Customization
from nova_constructs.cli.errors import BadInputError

_CONTROL = "RunControlTableName"
_ARRIVALS = "ArrivalsTableName"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reopened:
    """Say what came of runs that were turned away: `again` by the trigger that starts one, and those of a person."""

    again: Mapping[str, str]
    """The trigger of a run whose arrivals wait again, by the run."""
    by_hand: tuple[str, ...]
    """The runs that nobody but a person starts again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """The drain mark of one customization. `client` opens a service."""

    customization: Customization
    client: Callable[[str], Any]

    @property
    def control(self) -> DynamoItemStore:
        """Return the run control table."""
        missing = [name for name in (_CONTROL, _ARRIVALS) if name not in self.customization.outputs]
        if missing:
            raise BadInputError(
                "this stack was deployed before it could be drained",
                received=self.customization.stack,
                do="deploy it again",
            )
        return replace(run_control_store(self.customization.outputs[_CONTROL]), dynamodb=self.client("dynamodb"))

    def read(self) -> Draining | None:
        """Return the mark, None where runs can begin."""
        return RunLock(self.control).turns().draining

    def set(self) -> Draining:
        """Let nobody begin; a mark that is there already stays."""
        by = str(self.client("sts").get_caller_identity()["Arn"])
        found = RunLock(self.control).drain(by, datetime.now(UTC)).draining
        assert found is not None
        return found

    def ending(self) -> list[str]:
        """Return the runs that were turned away and have not ended yet: until then their input counts as running."""
        draining = self.read()
        book = open_runs(self.control)
        return [run_id for run_id in draining.turned_away if run_id in book] if draining else []

    def end(self) -> Reopened | None:
        """Let what was turned away wait again, then let runs begin; None where they could.

        Call it when `ending` has nothing more.
        """
        known: dict[str, str] = {}
        draining = self.read()
        if draining is None:
            return None
        while draining:
            for run_id in draining.turned_away:
                if run_id not in known:
                    known[run_id] = self._wait_again(run_id)
            if RunLock(self.control).reopen(draining):
                break
            draining = self.read()
        again = {run_id: trigger for run_id, trigger in known.items() if trigger}
        return Reopened(again=again, by_hand=tuple(run_id for run_id, trigger in known.items() if not trigger))

    def _wait_again(self, run_id: str) -> str:
        """Return the trigger whose arrivals, those of the run, wait again; empty where there are none."""
        trigger = self._trigger_of(run_id)
        if not trigger:
            return ""
        # Told twice, it is none the second time; the run is the trigger's all the same.
        self._arrivals().reopen(trigger, run_id)
        return trigger

    def _arrivals(self) -> Arrivals:
        table = arrivals_store(self.customization.outputs[_ARRIVALS])
        return Arrivals(replace(table, dynamodb=self.client("dynamodb")))

    def _trigger_of(self, run_id: str) -> str | None:
        states = self.client("stepfunctions")
        try:
            described = states.describe_execution(executionArn=self.customization.execution_arn(run_id))
        except states.exceptions.ExecutionDoesNotExist:
            return None
        told = json.loads(described.get("input") or "{}")
        trigger = told.get("trigger") if isinstance(told, dict) else None
        return str(trigger["name"]) if isinstance(trigger, dict) and trigger.get("name") else None
