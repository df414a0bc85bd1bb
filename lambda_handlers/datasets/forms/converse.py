"""The Converse form of a training row, and its rules for both Nova versions.

Source of the rules: AWS, Nova data preparation pages (schema `bedrock-conversation-2024`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from lambda_handlers.datasets.faults import Fault
from lambda_handlers.datasets.forms import converse_media as media
from lambda_handlers.datasets.forms import converse_tools as tools
from lambda_handlers.datasets.forms.texts import kind, optional_text, required_text

NovaVersion = Literal[1, 2]

SCHEMA_VERSION: Final = "bedrock-conversation-2024"
_KEYS: Final = {"schemaVersion", "system", "messages", "toolConfig"}
_CONTENT: Final = ("text", "image", "video", "document", "reasoningContent", "toolUse", "toolResult")


def faults(row: dict[str, Any], nova: NovaVersion) -> list[Fault]:
    """List everything that is wrong with a row in Converse form."""
    return list(_faults(row, nova))


def _faults(row: dict[str, Any], nova: NovaVersion) -> Iterator[Fault]:
    for key in row.keys() - _KEYS:
        yield Fault("unknown_key", f'the key "{key}" is not part of a Converse row')
    if row.get("schemaVersion") != SCHEMA_VERSION:
        yield Fault("schema_version", f'schemaVersion is {row.get("schemaVersion")!r}, not "{SCHEMA_VERSION}"')
    if "system" in row:
        yield from _system(row["system"])
    messages = row.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        yield Fault("wrong_type", "messages is not an array of objects")
        return
    yield from _turns(messages)
    for index, message in enumerate(messages):
        yield from _message(message, f"messages[{index}]", nova)
    yield from tools.config_faults(row.get("toolConfig"), "toolConfig" in row, nova)
    yield from tools.linkage_faults(messages, row.get("toolConfig"))


def _system(system: Any) -> Iterator[Fault]:
    if not isinstance(system, list) or len(system) != 1 or not isinstance(system[0], dict):
        yield Fault("wrong_type", "system is not an array of one object")
        return
    if system[0].keys() != {"text"}:
        yield Fault("content", 'system[0] is not an object with the one key "text"')
        return
    yield from optional_text(system[0]["text"], "system[0].text")


def _turns(messages: list[dict[str, Any]]) -> Iterator[Fault]:
    roles = [message.get("role") for message in messages]
    if len(roles) < 2:
        yield Fault("too_few_turns", f"the conversation has {len(roles)} turns; at least 2 are needed")
        return
    for index, role in enumerate(roles):
        expected = ("user", "assistant")[index % 2]
        if role != expected:
            yield Fault("turn_order", f'messages[{index}].role is {role!r}, expected "{expected}"')
            return
    if len(roles) % 2:
        yield Fault("turn_order", "the last turn is not the assistant's")


def _message(message: dict[str, Any], place: str, nova: NovaVersion) -> Iterator[Fault]:
    for key in message.keys() - {"role", "content"}:
        yield Fault("unknown_key", f'{place} has the unknown key "{key}"')
    content = message.get("content")
    if not isinstance(content, list):
        yield Fault("wrong_type", f"{place}.content is {kind(content)}, not an array")
        return
    if not content:
        yield Fault("missing_text", f"{place}.content is empty")
    kinds: set[str] = set()
    texts: list[str] = []
    for index, item in enumerate(content):
        yield from _item(item, f"{place}.content[{index}]", message.get("role"), nova)
        if isinstance(item, dict):
            kinds.update(item)
            texts.append(str(item.get("text", "")))
    if kinds == {"text"} and not "".join(texts).strip():
        yield Fault("missing_text", f"{place} has only empty text")
    yield from media.message_faults(content, kinds, place)


def _item(item: Any, place: str, role: Any, nova: NovaVersion) -> Iterator[Fault]:
    if not isinstance(item, dict) or len(item) != 1 or next(iter(item)) not in _CONTENT:
        yield Fault("content", f"{place} is not an object with exactly one of {', '.join(_CONTENT)}")
        return
    [(name, value)] = item.items()
    if name == "text":
        yield from optional_text(value, f"{place}.text")
    elif name == "reasoningContent":
        yield from _reasoning(value, f"{place}.reasoningContent", role, nova)
    elif name in ("toolUse", "toolResult"):
        yield from tools.block_faults(name, value, f"{place}.{name}", role, nova)
    else:
        yield from media.item_faults(name, value, f"{place}.{name}", role, nova)


def _reasoning(value: Any, place: str, role: Any, nova: NovaVersion) -> Iterator[Fault]:
    if nova == 1:
        yield Fault("reasoning", f"{place}: reasoning is for Nova 2 only")
    if role != "assistant":
        yield Fault("reasoning", f"{place}: reasoning belongs to the assistant's turn")
    text = value.get("reasoningText") if isinstance(value, dict) and value.keys() == {"reasoningText"} else None
    if not isinstance(text, dict) or text.keys() != {"text"}:
        yield Fault("content", f"{place} is not of the form {{reasoningText: {{text}}}}")
        return
    yield from required_text(text["text"], f"{place}.reasoningText.text")
