"""The Converse form of a training row, and its rules for both Nova versions.

Source of the rules: AWS, Nova data preparation pages (schema `bedrock-conversation-2024`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lambda_handlers.catalog.training_data import SCHEMA_VERSION as SCHEMA_VERSION
from lambda_handlers.datasets.faults import Fault
from lambda_handlers.datasets.forms import converse_media as media
from lambda_handlers.datasets.forms import converse_tools as tools
from lambda_handlers.datasets.forms.texts import kind, optional_text, required_text

FEATURES: Final = ("system", "image", "video", "document", "reasoningContent", "toolUse", "toolResult")
"""The parts that all rows of a dataset have or none."""

CONTENT: Final = ("text", "image", "video", "document", "reasoningContent", "toolUse", "toolResult")
_KEYS: Final = {"schemaVersion", "system", "messages", "toolConfig"}
_BITS: Final = {name: 2 << index for index, name in enumerate(FEATURES)}
SYSTEM_BIT: Final = _BITS["system"]
MEDIA_BITS: Final = _BITS["image"] | _BITS["video"] | _BITS["document"]


def faults(row: dict[str, Any], nova: int, *, multimodal: bool = True) -> list[Fault]:
    """List everything that is wrong with a row in Converse form; `multimodal`: the model reads more than text."""
    return list(_faults(row, nova, multimodal))


def features(row: dict[str, Any]) -> int:
    """Return the parts that a good row has, as bits: bit n + 1 for the n-th of FEATURES."""
    names = {name for message in row["messages"] for item in message["content"] for name in item}
    bits = SYSTEM_BIT if "system" in row else 0
    return bits | sum(_BITS[name] for name in names if name in _BITS)


def user_text(messages: list[dict[str, Any]]) -> str:
    """Return what the user says in the turns of a good row, joined by line ends."""
    said = (item for message in messages if message["role"] == "user" for item in message["content"])
    return "\n".join(item["text"] for item in said if "text" in item)


def _faults(row: dict[str, Any], nova: int, multimodal: bool) -> Iterator[Fault]:
    for key in sorted(row.keys() - _KEYS):
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
    yield from media.conversation_faults(messages, multimodal=multimodal)
    yield from tools.config_faults(row, nova)
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
        yield Fault("too_few_turns", f"messages has {len(roles)} turns; at least 2 are needed")
        return
    for index, role in enumerate(roles):
        expected = ("user", "assistant")[index % 2]
        if role != expected:
            yield Fault("turn_order", f'messages[{index}].role is {role!r}, expected "{expected}"')
            return
    if len(roles) % 2:
        yield Fault("turn_order", f'messages[{len(roles) - 1}].role is "user"; the last turn is the assistant\'s')


def _message(message: dict[str, Any], place: str, nova: int) -> Iterator[Fault]:
    for key in sorted(message.keys() - {"role", "content"}):
        yield Fault("unknown_key", f'{place} has the unknown key "{key}"')
    content = message.get("content")
    if not isinstance(content, list):
        yield Fault("wrong_type", f"{place}.content is {kind(content)}, not an array")
        return
    for index, item in enumerate(content):
        yield from _item(item, f"{place}.content[{index}]", message.get("role"), nova)
    yield from _said(content, place)


def _said(content: list[Any], place: str) -> Iterator[Fault]:
    """Yield a fault for a turn that says nothing: a text may be empty only beside an image or a video."""
    kinds = {name for item in content if isinstance(item, dict) for name in item}
    texts = [item["text"] for item in content if isinstance(item, dict) and isinstance(item.get("text"), str)]
    if not content:
        yield Fault("missing_text", f"{place}.content is empty")
    elif kinds == {"reasoningContent"}:
        yield Fault("missing_text", f"{place} has reasoning, but neither a text nor a tool use")
    elif texts and not kinds & {"image", "video"} and not "".join(texts).strip():
        yield Fault("missing_text", f"{place} has only empty text")


def _item(item: Any, place: str, role: Any, nova: int) -> Iterator[Fault]:
    if not isinstance(item, dict) or len(item) != 1 or next(iter(item)) not in CONTENT:
        yield Fault("content", f"{place} is not an object with exactly one of {', '.join(CONTENT)}")
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


def _reasoning(value: Any, place: str, role: Any, nova: int) -> Iterator[Fault]:
    if nova == 1:
        yield Fault("reasoning_version", f"{place}: reasoning is for Nova 2 only")
    if role != "assistant":
        yield Fault("reasoning_role", f"{place}: reasoning belongs to the assistant's turn")
    text = value.get("reasoningText") if isinstance(value, dict) and value.keys() == {"reasoningText"} else None
    if not isinstance(text, dict) or text.keys() != {"text"}:
        yield Fault("content", f"{place} is not of the form {{reasoningText: {{text}}}}")
        return
    yield from required_text(text["text"], f"{place}.reasoningText.text")
