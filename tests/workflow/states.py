"""The states of a synthesized machine that call a function, and the invocations that are theirs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.workflow.harness import Workflow

Resources = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Calling:
    """A Task: its name, the logical id of its function, and what its payload has of its own."""

    name: str
    function: str
    constants: Mapping[str, Any] = field(default_factory=dict)

    def made(self, run: str) -> Callable[[Any], bool]:
        """Return what tells an invocation by this state of a run from every other."""
        return lambda event: run_of(event) == run and all(event.get(key) == v for key, v in self.constants.items())

    def function_name(self, workflow: Workflow) -> str:
        """Return the physical name of the function."""
        return str(workflow.stack.resources[self.function])


def states_of(assembly: Path) -> dict[str, Calling]:
    """Return every Task of the machine by its name, those in branches and Maps too."""
    [path] = assembly.glob("*.template.json")
    resources: Resources = json.loads(path.read_text())["Resources"]
    machine = next(each for each in resources.values() if each["Type"] == "AWS::StepFunctions::StateMachine")
    parts = machine["Properties"]["DefinitionString"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else next(iter(part.values())) for part in parts)
    return {each.name: each for each in _states(json.loads(text)["States"], resources)}


def run_of(event: Any) -> str:
    """Return the id of the run that an event of a function is about; empty where it tells none."""
    if not isinstance(event, dict):
        return ""
    return str((event.get("run") or {}).get("id") or (event.get("execution") or {}).get("name") or "")


def _states(states: Mapping[str, Any], resources: Resources) -> Iterator[Calling]:
    for name, state in states.items():
        if state["Type"] == "Task":
            yield _calling(name, state, resources)
        for inner in [*state.get("Branches", []), *([state["ItemProcessor"]] if state["Type"] == "Map" else [])]:
            yield from _states(inner["States"], resources)


def _calling(name: str, state: Mapping[str, Any], resources: Resources) -> Calling:
    parameters = state.get("Parameters", {})
    waits = str(state["Resource"]).endswith(".waitForTaskToken")
    version = parameters["FunctionName"] if waits else state["Resource"]
    payload = parameters["Payload"] if waits else parameters
    # Not what is taken from the state, nor settings, in which references to resources stand.
    constants = {key: value for key, value in payload.items() if isinstance(value, str) and not key.endswith(".$")}
    return Calling(name=name, function=resources[version]["Properties"]["FunctionName"]["Ref"], constants=constants)
