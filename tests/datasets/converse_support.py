"""Converse rows to build tests from."""

from __future__ import annotations

from typing import Any

from lambda_handlers.datasets.forms import converse

LOCATION = {"s3Location": {"uri": "s3://bucket/a-b_c/i.png", "bucketOwner": "111122223333"}}
REASONING = {"reasoningContent": {"reasoningText": {"text": "because"}}}
QUESTION, ANSWER = [{"text": "x"}], [{"text": "y"}]


def medium(kind: str, file_format: str, source: Any = LOCATION) -> dict[str, Any]:
    return {kind: {"format": file_format, "source": source}}


IMAGE, VIDEO, DOCUMENT = medium("image", "png"), medium("video", "mp4"), medium("document", "pdf")


def spec(name: str = "get_weather", **changes: Any) -> dict[str, Any]:
    """Return a tool definition; a change to None leaves the key out."""
    full = {"name": name, "description": "Weather lookup", "inputSchema": {"json": {"type": "object"}}, **changes}
    return {"toolSpec": {key: value for key, value in full.items() if value is not None}}


TOOLS = {"tools": [spec()]}


def use(identity: Any = "c1", name: Any = "get_weather") -> dict[str, Any]:
    return {"toolUse": {"toolUseId": identity, "name": name, "input": {"city": "Rome"}}}


def result(identity: Any = "c1", **content: Any) -> dict[str, Any]:
    return {"toolResult": {"toolUseId": identity, "content": [content or {"text": "30C"}]}}


CALL = (QUESTION, [use()], [result()], ANSWER)


def turns(*contents: Any) -> list[dict[str, Any]]:
    return [{"role": ("user", "assistant")[index % 2], "content": content} for index, content in enumerate(contents)]


def row(*contents: Any, **more: Any) -> dict[str, Any]:
    """Return a Converse row of the given turns, by default a question and its answer."""
    return {"schemaVersion": converse.SCHEMA_VERSION, "messages": turns(*(contents or (QUESTION, ANSWER))), **more}


def codes(value: dict[str, Any], nova: int = 2, *, multimodal: bool = True) -> list[str]:
    """Return the codes of everything that is wrong with a Converse row, in order."""
    return [fault.code for fault in converse.faults(value, nova, multimodal=multimodal)]


def message(value: dict[str, Any], nova: int = 2) -> str:
    """Return the sentence of the one thing that is wrong with a Converse row."""
    [fault] = converse.faults(value, nova)
    return fault.message
