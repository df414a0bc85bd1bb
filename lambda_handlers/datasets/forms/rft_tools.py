"""Rules for the tools that a row of reinforcement fine-tuning defines (OpenAI's form of a function)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lambda_handlers.datasets.faults import Fault
from lambda_handlers.datasets.forms.texts import is_named, kind


def tools_faults(tools: Any, place: str) -> Iterator[Fault]:
    """Yield what is wrong with the tools of a row."""
    if not isinstance(tools, list) or not tools:
        given = "an empty array" if tools == [] else kind(tools)
        yield Fault("wrong_type", f"{place} is {given}, not an array with at least one tool")
        return
    names: set[str] = set()
    for index, tool in enumerate(tools):
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or tool.get("type") != "function":
            yield Fault("tool_spec", f'{place}[{index}] is not of the form {{type: "function", function}}')
            continue
        yield from _function_faults(function, f"{place}[{index}].function")
        name = function.get("name")
        if isinstance(name, str) and name in names:
            yield Fault("tool_twice", f'{place}[{index}].function.name: the tool "{name}" is defined twice')
        names.add(str(name))


def _function_faults(function: dict[str, Any], place: str) -> Iterator[Fault]:
    for name in ("name", "description"):
        if not is_named(function.get(name)):
            code = "tool_name" if name == "name" else "tool_spec"
            yield Fault(code, f"{place}.{name} is missing, empty or not a text")
    parameters = function.get("parameters")
    if not isinstance(parameters, dict) or parameters.get("type") != "object":
        yield Fault("tool_spec", f'{place}.parameters is not a JSON Schema of the type "object"')
        return
    if not isinstance(parameters.get("properties"), dict):
        yield Fault(
            "tool_spec", f"{place}.parameters.properties is {kind(parameters.get('properties'))}, not an object"
        )
    if not isinstance(parameters.get("required", []), list):
        yield Fault("tool_spec", f"{place}.parameters.required is {kind(parameters['required'])}, not an array")
