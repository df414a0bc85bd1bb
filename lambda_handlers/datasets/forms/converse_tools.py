"""Rules for tool definitions, uses and results in a Converse row (AWS, Nova data preparation pages)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from lambda_handlers.datasets.faults import Fault
from lambda_handlers.datasets.forms.texts import is_named, optional_text

_ROLES: Final = {"toolUse": "assistant", "toolResult": "user"}
_BLOCK_KEYS: Final = {
    "toolUse": ({"toolUseId", "name", "input"}, {"toolUseId", "name", "input"}),
    "toolResult": ({"toolUseId", "content"}, {"toolUseId", "content", "status"}),
}
_SPEC_KEYS: Final = {"name", "description", "inputSchema"}


def block_faults(kind: str, value: Any, place: str, role: Any, nova: int) -> Iterator[Fault]:
    """Yield what is wrong with one tool use or tool result by itself."""
    if nova == 1:
        yield Fault("tool_version", f"{place}: tools are for Nova 2 only")
    if role != _ROLES[kind]:
        yield Fault("tool_role", f"{place}: a {kind} belongs to the {_ROLES[kind]}'s turn")
    needed, allowed = _BLOCK_KEYS[kind]
    if not isinstance(value, dict) or not needed <= value.keys() <= allowed:
        yield Fault("content", f"{place} is not of the form {{{', '.join(sorted(needed))}}}")
        return
    if not is_named(value["toolUseId"]):
        yield Fault("tool_id", f"{place}.toolUseId is empty")
    if kind == "toolUse":
        yield from _use_faults(value, place)
    else:
        yield from _result_faults(value["content"], f"{place}.content")


def config_faults(row: dict[str, Any], nova: int) -> Iterator[Fault]:
    """Yield what is wrong with the tool definitions of a row."""
    if "toolConfig" not in row:
        return
    if nova == 1:
        yield Fault("tool_version", "toolConfig: tools are for Nova 2 only")
    config = row["toolConfig"]
    specs = _specs(config)
    if not specs or config.keys() != {"tools"}:
        yield Fault("tool_config", "toolConfig is not of the form {tools: [...]} with at least one tool")
        return
    for index, spec in enumerate(specs):
        yield from _spec_faults(spec, f"toolConfig.tools[{index}].toolSpec")
    for name in sorted(name for name, times in Counter(_names(specs)).items() if times > 1):
        yield Fault("tool_twice", f'toolConfig.tools: the tool "{name}" is defined twice')


def linkage_faults(messages: list[dict[str, Any]], config: Any) -> Iterator[Fault]:
    """Yield uses of undefined tools, repeated ids, results that answer nothing, and uses that nothing answers.

    Uses in the last turn are what the model learns to ask for: they need no answer.
    """
    defined = frozenset(_names(_specs(config)))
    waiting: dict[str, str] = {}
    seen: set[str] = set()
    for number, place, kind, block in _blocks(messages):
        identity = block["toolUseId"]
        if kind == "toolResult":
            if waiting.pop(identity, None) is None:
                yield Fault("tool_unmatched", f'{place}: no earlier, unanswered tool use has the id "{identity}"')
            continue
        if identity in seen:
            yield Fault("tool_id_twice", f'{place}: the id "{identity}" is used twice')
        if config is not None and is_named(block.get("name")) and block["name"] not in defined:
            yield Fault("tool_undefined", f'{place}: the tool "{block["name"]}" is not defined in toolConfig')
        seen.add(identity)
        if number < len(messages) - 1:
            waiting[identity] = place
    for identity, place in waiting.items():
        yield Fault("tool_unanswered", f'{place}: no tool result has the id "{identity}"')


def _blocks(messages: list[dict[str, Any]]) -> Iterator[tuple[int, str, str, dict[str, Any]]]:
    for number, message in enumerate(messages):
        content = message.get("content")
        for index, item in enumerate(content if isinstance(content, list) else ()):
            for kind in _ROLES:
                block = item.get(kind) if isinstance(item, dict) else None
                if isinstance(block, dict) and is_named(block.get("toolUseId")):
                    yield number, f"messages[{number}].content[{index}].{kind}", kind, block


def _use_faults(use: dict[str, Any], place: str) -> Iterator[Fault]:
    if not is_named(use["name"]):
        yield Fault("tool_name", f"{place}.name is empty")
    if not isinstance(use["input"], dict):
        yield Fault("tool_input", f"{place}.input is not a JSON object")


def _result_faults(content: Any, place: str) -> Iterator[Fault]:
    if not isinstance(content, list) or not content:
        yield Fault("tool_result", f"{place} is not an array with at least one item")
        return
    for index, item in enumerate(content):
        if isinstance(item, dict) and item.keys() == {"text"}:
            yield from optional_text(item["text"], f"{place}[{index}].text")
        elif not (isinstance(item, dict) and item.keys() == {"json"} and isinstance(item["json"], dict)):
            yield Fault("tool_result", f"{place}[{index}] is neither {{text}} nor {{json: object}}")


def _specs(config: Any) -> list[Any]:
    tools = config.get("tools") if isinstance(config, dict) else None
    if not isinstance(tools, list):
        return []
    return [tool.get("toolSpec") if isinstance(tool, dict) and len(tool) == 1 else None for tool in tools]


def _names(specs: list[Any]) -> list[str]:
    return [spec["name"] for spec in specs if isinstance(spec, dict) and is_named(spec.get("name"))]


def _spec_faults(spec: Any, place: str) -> Iterator[Fault]:
    if not isinstance(spec, dict) or not spec.keys() <= _SPEC_KEYS:
        yield Fault("tool_spec", f"{place} is not of the form {{name, description, inputSchema}}")
        return
    for name in ("name", "description"):
        if not is_named(spec.get(name)):
            yield Fault("tool_spec", f"{place}.{name} is empty")
    schema = spec.get("inputSchema")
    document = schema.get("json") if isinstance(schema, dict) and schema.keys() == {"json"} else None
    if not isinstance(document, dict) or "type" not in document:
        yield Fault("tool_spec", f'{place}.inputSchema.json is not a JSON Schema with a "type"')
