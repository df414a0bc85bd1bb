"""Stops executions in a state of one's choice, at the very moment, and knows which states there are to stop in."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager

from nova_constructs.emulator.patches import Patches
from tests.workflow.harness import Workflow


class Moment(StrEnum):
    """Say when in a state; a state that calls nothing has but one moment, that of being entered."""

    EARLY = "early"
    """Its function is about to be called: it runs after the end of its execution, as Lambda lets it."""
    LATE = "late"
    """Its function has done its work: the state waits for its token, or has yet to hand the result on."""


_DONE = frozenset({"TaskSubmitted", "TaskSucceeded", "LambdaFunctionSucceeded"})


def part_from(first: str, workflow: Workflow) -> dict[str, dict[str, Any]]:
    """Return the states that an execution comes to through `first` alone: the part of a run that begins there."""
    answer = workflow.states.describe_state_machine(stateMachineArn=workflow["StateMachineArn"])
    definition = json.loads(answer["definition"])
    states, start = definition["States"], definition["StartAt"]
    elsewhere = _reached(states, start, without=first)
    return {name: states[name] for name in _reached(states, start) if name not in elsewhere}


def _reached(states: Mapping[str, Any], start: str, without: str = "") -> list[str]:
    found: list[str] = []
    coming = [start]
    while coming:
        name = coming.pop(0)
        if name != without and name not in found:
            found.append(name)
            coming += _following(states[name])
    return found


def _following(state: Mapping[str, Any]) -> list[str]:
    branches = [*state.get("Catch", []), *state.get("Choices", [])]
    named = [state.get("Next"), state.get("Default"), *(branch.get("Next") for branch in branches)]
    return [name for name in named if name]


@contextmanager
def when_in(workflow: Workflow, state: str, moment: Moment | None, do: Callable[[], None]) -> Iterator[list[str]]:
    """Call `do` once, when an execution is in a state, and hold it up meanwhile; the list has what happened there.

    `moment` is None for a state that calls no function. Nothing but this execution is to be under way.
    """
    met: list[str] = []
    inside = threading.Event()
    patches, add = Patches(), EventManager.add_event

    def call(kind: str) -> None:
        if not met:
            met.append(kind)
            do()

    def add_and_call(manager: Any, *args: Any, **options: Any) -> int:
        number = add(manager, *args, **options)
        kind = str(options["event_type"].value)
        entered = (options.get("event_details") or {}).get("stateEnteredEventDetails")
        if entered:
            (inside.set if entered["name"] == state else inside.clear)()
            if inside.is_set() and moment is Moment.EARLY:
                workflow.emulator.faults.before("lambda", "Invoke", lambda: call("the call of its function"))
        if inside.is_set() and (kind in _DONE if moment is Moment.LATE else moment is None):
            call(kind)
        return number

    patches.replace(EventManager, "add_event", add_and_call)
    try:
        yield met
    finally:
        patches.undo()
