"""Start what is due, each start exactly once, whatever stops on the way and however many try at the same time.

A start is first written down (`pending`) by compare and swap on the state of its trigger, with the execution's name and
input; then the execution is started under that name, then the arrivals are settled, then the start is struck off. Who
finds one written down carries it out before anything else: under the same name nothing is started twice.

Where a run that meets another ends at once (`defers`), what arrives with data of its own waits until no run works. One
that was started and met another all the same, started by hand at that moment, has its arrivals wait again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from lambda_handlers.protocol.clock import Clock, iso
from lambda_handlers.protocol.errors import TransientServiceError
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.names import canonical
from lambda_handlers.protocol.runs import open_runs
from lambda_handlers.protocol.stepfunctions import Executions, ExecutionState
from lambda_handlers.protocol.store import VERSION, ConditionFailed, Item, ItemStore
from lambda_handlers.protocol.turns import Concurrency
from lambda_handlers.starting.arrivals import (
    COOLED_DOWN,
    STARTED,
    STATE,
    SUPERSEDED,
    WAITING,
    Arrival,
    Arrivals,
    is_newer,
)
from lambda_handlers.starting.choosing import choose, cooled_down, superseded
from lambda_handlers.starting.execution import input_of, name_of

_ROUNDS: Final = 100
"""Starts of one trigger in one call: more than that waits for the next pass."""
_SETTLING_IN: Final = timedelta(minutes=1)
"""How long an execution may not be known yet to those who ask for it (Step Functions, eventual consistency)."""
DEFERRING: Final = (Concurrency.SKIP, Concurrency.QUEUE_LATEST)
"""The policies under which a run that meets another may end without having done anything."""
_log = logging.getLogger(__name__)


class Starter(Protocol):
    """Start executions of the customization's state machine, and keep what their inputs name."""

    def start(self, name: str, document: Mapping[str, Any]) -> str:
        """Start an execution and return its ARN; one of this name that was started before is the same."""
        ...

    def write(self, key: str, body: bytes) -> str:
        """Keep an object in the artifacts bucket and return its address."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Dispatcher:
    """Start executions for the arrivals of one customization. `control` has the lock and the book of open runs."""

    arrivals: Arrivals
    control: ItemStore
    starter: Starter
    executions: Executions
    clock: Clock
    defers: bool = False

    def dispatch_all(self) -> list[str]:
        """Start what is due of every trigger, and finish every start that was left; return the names of the runs.

        A trigger that fails does not keep the others from their turn; raise TransientServiceError once they had it.
        """
        started: list[str] = []
        problems: list[str] = []
        for trigger in sorted(self.arrivals.triggers()):
            try:
                started += self.dispatch(trigger)
            except Exception as error:
                _log.exception("what waits for trigger %s could not be started", trigger)
                problems.append(f"{trigger}: {type(error).__name__}: {error}")
        if problems:
            raise TransientServiceError("Not every trigger could be looked after.", problems=problems)
        return started

    def dispatch(self, trigger: str, *also: Arrival) -> list[str]:
        """Start what is due of one trigger; `also` has just arrived and is not missed, though an index may miss it."""
        started: list[str] = []
        for _ in range(_ROUNDS):
            if RunLock(self.control).turns().draining:
                break  # what has arrived, and what is written down, waits for the end of that
            state = self._state(trigger)
            if state and state["pending"]:
                started.append(self._carry_out(trigger, state))
            elif not self._plan(trigger, state, also):
                break
        return list(dict.fromkeys(started))

    def _plan(self, trigger: str, state: Item | None, also: tuple[Arrival, ...]) -> bool:
        """Write the next start down; return whether to go on."""
        now = self.clock.now()
        if state and state.get("unconfirmed"):
            return self._confirm(trigger, state, now)
        waiting = self._settle_the_idle(trigger, state, also)
        if self._held(state, now):
            return False
        batch = choose(waiting, now)
        if batch is None:
            return False
        defers = self.defers and batch.trigger.brings_data
        if defers and self._busy(trigger, now):
            return False
        name = name_of(batch, now)
        pending = {
            "run": name,
            "input": input_of(batch, now, self.starter.write),
            "arrivals": [each.id for each in batch.arrivals],
            "at": iso(now),
            "leaves_some": batch.leaves_some,
            "waits_again": defers,
            "confirms": self.defers and (defers or batch.trigger.cool_down_seconds > 0),
        }
        self._swap(trigger, state, {**_kept(state), "pending": canonical(pending), "waiting_marker": WAITING})
        return True

    def _settle_the_idle(self, trigger: str, state: Item | None, also: tuple[Arrival, ...]) -> list[Arrival]:
        """Settle what starts nothing, and return the rest of what waits."""
        waiting = self.arrivals.waiting(*also, trigger=trigger)
        older = [*superseded(waiting), *(each for each in waiting if self._came_too_late(each))]
        last_run, last_start = _last(state)
        cooled = cooled_down(waiting, last_start)
        for each in older:
            self.arrivals.settle(trigger, each.id, SUPERSEDED, "", self.clock.now())
        for each in cooled:
            self.arrivals.settle(trigger, each.id, COOLED_DOWN, last_run, self.clock.now())
        idle = {each.id for each in (*older, *cooled)}
        return [each for each in waiting if each.id not in idle]

    def _came_too_late(self, arrival: Arrival) -> bool:
        """Tell whether a newer version of the object is known already, though it may have been started long ago."""
        sequencer = str(arrival.facts.get("sequencer", ""))
        return bool(sequencer) and is_newer(self.arrivals.newest(arrival), sequencer)

    def _held(self, state: Item | None, now: datetime) -> bool:
        """Tell whether what waits has to wait for the end of the run that could not take it all."""
        if not state or not state.get("leaves_some"):
            return False
        last_run, last_start = _last(state)
        if last_start and now - last_start < _SETTLING_IN:
            return True
        return last_run in open_runs(self.control) or not self.executions.describe(str(state["last_execution"])).ended

    def _busy(self, trigger: str, now: datetime) -> bool:
        """Tell whether a run works, or another trigger is about to start one."""
        if open_runs(self.control):
            return True
        others = [state for each in self.arrivals.triggers() if each != trigger and (state := self._state(each))]
        return any(each["pending"] or (each.get("unconfirmed") and not self._ended(each, now)) for each in others)

    def _ended(self, state: Item, now: datetime) -> ExecutionState | None:
        """Return how the last run ended; None while it has not."""
        run, (_, started) = self.executions.describe(str(state["last_execution"])), _last(state)
        # An execution that is not known yet looks like one that is no longer known.
        unknown = run.status == "ABORTED" and started is not None and now - started < _SETTLING_IN
        return run if run.ended and not unknown else None

    def _confirm(self, trigger: str, state: Item, now: datetime) -> bool:
        """Tell whether the last run has ended; what it brought waits again if another run kept it out."""
        run = self._ended(state, now)
        if run is None:
            return False
        kept = {name: value for name, value in _kept(state).items() if name != "waiting_marker"}
        if run.output and json.loads(run.output).get("turned_away"):
            for each in json.loads(str(state["unconfirmed"])):
                self.arrivals.wait_again(trigger, each, _last(state)[0])
            kept |= {"last_start": ""}  # a run that did nothing begins no cool-down
        self._swap(trigger, state, {**kept, "unconfirmed": ""})
        return True

    def _carry_out(self, trigger: str, state: Item) -> str:
        """Start what was written down, and settle its arrivals; each step may have been taken before."""
        pending = json.loads(str(state["pending"]))
        arn = self.starter.start(pending["run"], pending["input"])
        for each in pending["arrivals"]:
            self.arrivals.settle(trigger, each, STARTED, pending["run"], self.clock.now())
        done = {"last_run": pending["run"], "last_start": pending["at"], "last_execution": arn}
        if pending["confirms"]:
            brought = pending["arrivals"] if pending["waits_again"] else []
            done |= {"unconfirmed": canonical(brought), "waiting_marker": WAITING}
        self._swap(trigger, state, {"pending": "", "leaves_some": pending["leaves_some"], **done})
        return str(pending["run"])

    def _state(self, trigger: str) -> Item | None:
        return self.arrivals.store.get({"trigger": trigger, "arrival": STATE})

    def _swap(self, trigger: str, old: Item | None, new: Mapping[str, Any]) -> None:
        """Write the state of a trigger; whoever was faster has done the same or something newer."""
        try:
            self.arrivals.store.put({"trigger": trigger, "arrival": STATE, **new}, replacing=old)
        except ConditionFailed:
            return


def _kept(state: Item | None) -> dict[str, Any]:
    return {name: value for name, value in (state or {}).items() if name not in ("trigger", "arrival", VERSION)}


def _last(state: Item | None) -> tuple[str, datetime | None]:
    """Return the last run and when it was started."""
    if not state or not state.get("last_start"):
        return "", None
    return str(state["last_run"]), datetime.fromisoformat(str(state["last_start"]))
