"""Rules for tool definitions, uses and results in a Converse row (AWS, Nova data preparation pages)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lambda_handlers.datasets.faults import Fault
from lambda_handlers.datasets.forms.texts import optional_text

_ROLES: Final = {"toolUse": "assistant", "toolResult": "user"}
_BLOCK_KEYS: Final = {
    "toolUse": ({"toolUseId", "name", "input"}, {"toolUseId", "name", "input"}),
    "toolResult": ({"toolUseId", "content"}, {"toolUseId", "content", "status"}),
}


def block_faults(kind: str, value: Any, place: str, role: Any, nova: int) -> Iterator[Fault]:
    """Yield what is wrong with one tool use or tool result by itself."""
    if nova == 1:
        yield Fault("tool", f"{place}: tools are for Nova 2 only")
    if role != _ROLES[kind]:
        yield Fault("tool", f"{place}: a {kind} belongs to the {_ROLES[kind]}'s turn")
    needed, allowed = _BLOCK_KEYS[kind]
    if not isinstance(value, dict) or not needed <= value.keys() <= allowed:
        yield Fault("content", f"{place} is not of the form {{{', '.join(sorted(needed))}}}")
        return
    names = ("toolUseId", "name") if kind == "toolUse" else ("toolUseId",)
    for name in names:
        if not _is_named(value[name]):
            yield Fault("tool", f"{place}.{name} is empty")
    if kind == "toolUse" and not isinstance(value["input"], dict):
        yield Fault("tool", f"{place}.input is not an object")
    if kind == "toolResult":
        yield from _result_faults(value["content"], f"{place}.content")


def config_faults(config: Any, present: bool, nova: int) -> Iterator[Fault]:
    """Yield what is wrong with the tool definitions of a row."""
    if not present:
        return
    if nova == 1:
        yield Fault("tool", "toolConfig: tools are for Nova 2 only")
    specs = _specs(config)
    if not specs:
        yield Fault("tool", "toolConfig.tools is not an array of tool definitions")
        return
    for index, spec in enumerate(specs):
        yield from _spec_faults(spec, f"toolConfig.tools[{index}].toolSpec")
    names = [spec["name"] for spec in specs if isinstance(spec, dict) and isinstance(spec.get("name"), str)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Fault("tool", f'the tool "{name}" is defined twice')


def linkage_faults(messages: list[dict[str, Any]], config: Any) -> Iterator[Fault]:
    """Yield uses of undefined tools, repeated ids, and results that answer nothing."""
    defined = {spec["name"] for spec in _specs(config) if isinstance(spec, dict) and _is_named(spec.get("name"))}
    open_ids: set[str] = set()
    seen_ids: set[str] = set()
    for place, kind, block in _blocks(messages):
        identity = block["toolUseId"]
        if kind == "toolUse":
            if identity in seen_ids:
                yield Fault("tool", f'{place}: the id "{identity}" is used twice')
            if defined and block.get("name") not in defined:
                yield Fault("tool", f'{place}: the tool "{block.get("name")}" is not defined in toolConfig')
            seen_ids.add(identity)
            open_ids.add(identity)
        elif identity in open_ids:
            open_ids.remove(identity)
        else:
            yield Fault("tool", f'{place}: no open tool use has the id "{identity}"')


def _blocks(messages: list[dict[str, Any]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for number, message in enumerate(messages):
        content = message.get("content")
        for index, item in enumerate(content if isinstance(content, list) else ()):
            for kind in _ROLES:
                block = item.get(kind) if isinstance(item, dict) else None
                if isinstance(block, dict) and _is_named(block.get("toolUseId")):
                    yield f"messages[{number}].content[{index}].{kind}", kind, block


def _result_faults(content: Any, place: str) -> Iterator[Fault]:
    if not isinstance(content, list) or not content:
        yield Fault("tool", f"{place} is not an array with at least one item")
        return
    for index, item in enumerate(content):
        if isinstance(item, dict) and item.keys() == {"text"}:
            yield from optional_text(item["text"], f"{place}[{index}].text")
        elif not (isinstance(item, dict) and item.keys() == {"json"} and isinstance(item["json"], dict)):
            yield Fault("tool", f"{place}[{index}] is neither {{text}} nor {{json: object}}")


def _specs(config: Any) -> list[Any]:
    tools = config.get("tools") if isinstance(config, dict) else None
    if not isinstance(tools, list):
        return []
    return [tool.get("toolSpec") if isinstance(tool, dict) else None for tool in tools]


def _spec_faults(spec: Any, place: str) -> Iterator[Fault]:
    if not isinstance(spec, dict):
        yield Fault("tool", f"{place} is missing")
        return
    for name in ("name", "description"):
        if not _is_named(spec.get(name)):
            yield Fault("tool", f"{place}.{name} is empty")
    schema = spec.get("inputSchema")
    document = schema.get("json") if isinstance(schema, dict) else None
    if not isinstance(document, dict) or "type" not in document:
        yield Fault("tool", f'{place}.inputSchema.json is not a JSON Schema with a "type"')


def _is_named(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
