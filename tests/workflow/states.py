"""The states of a synthesized machine that call a function, and the invocations that are theirs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.workflow.harness import Workflow


@dataclass(frozen=True, kw_only=True)
class Calling:
    """A Task: its name, the physical name of its function, and what its payload has of its own."""

    name: str
    function: str
    constants: Mapping[str, Any] = field(default_factory=dict)
    waits: bool = False
    """It waits with a task token."""

    def made(self, run: str) -> Callable[[Any], bool]:
        """Return what tells an invocation by this state of a run from every other."""
        return lambda event: run_of(event) == run and _has(event, self.constants)


def states_of(workflow: Workflow, assembly: Path) -> dict[str, Calling]:
    """Return every Task of the machine by its name, those in branches and Maps too."""
    return {each.name: each for each in _states(workflow, _definition(assembly)["States"])}


def run_of(event: Any) -> str:
    """Return the id of the run that an event of a function is about; empty where it tells none."""
    if not isinstance(event, dict):
        return ""
    return str((event.get("run") or {}).get("id") or (event.get("execution") or {}).get("name") or "")


def _definition(assembly: Path) -> dict[str, Any]:
    [path] = assembly.glob("*.template.json")
    resources = json.loads(path.read_text())["Resources"].values()
    machine = next(each for each in resources if each["Type"] == "AWS::StepFunctions::StateMachine")
    parts = machine["Properties"]["DefinitionString"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else next(iter(part.values())) for part in parts)
    return dict(json.loads(text))


def _states(workflow: Workflow, states: Mapping[str, Any]) -> Iterator[Calling]:
    for name, state in states.items():
        if state["Type"] == "Task":
            yield _calling(workflow, name, state)
        for inner in [*state.get("Branches", []), *([state["ItemProcessor"]] if state["Type"] == "Map" else [])]:
            yield from _states(workflow, inner["States"])


def _calling(workflow: Workflow, name: str, state: Mapping[str, Any]) -> Calling:
    parameters = state.get("Parameters", {})
    waits = str(state["Resource"]).endswith(".waitForTaskToken")
    version = parameters["FunctionName"] if waits else state["Resource"]
    payload = parameters["Payload"] if waits else parameters
    return Calling(name=name, function=_function(workflow, version), constants=_constants(payload), waits=waits)


def _function(workflow: Workflow, version: str) -> str:
    """Return the physical name of the function that a version, by its logical id, is one of."""
    logical = version.split("CurrentVersion")[0]
    return str(workflow.stack.resources[logical])


def _constants(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stands in a payload as text: not what is taken from the state, nor settings with names of AWS."""
    return {key: value for key, value in payload.items() if isinstance(value, str) and not key.endswith(".$")}


def _has(event: Any, constants: Mapping[str, Any]) -> bool:
    return all(event.get(key) == value for key, value in constants.items())
