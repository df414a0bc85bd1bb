"""OpenAI chat rows: how to tell them from Converse rows, and how they become Converse rows.

What a row says is kept or the row is refused: nothing inside a message is dropped silently. Keys beside `messages` and
`tools` are dropped, as columns that nothing maps are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lambda_handlers.catalog.training_data import SCHEMA_VERSION
from lambda_handlers.datasets.faults import Fault, RejectedRowError
from lambda_handlers.datasets.forms.converse import CONTENT
from lambda_handlers.datasets.forms.openai_messages import MessageReader
from lambda_handlers.datasets.forms.texts import kind

_CONVERSE_KEYS: Final = ("schemaVersion", "toolConfig")
_NO_PARAMETERS: Final = {"type": "object", "properties": {}}


def is_openai(row: dict[str, Any]) -> bool:
    """Tell whether a row with `messages` is an OpenAI chat row; it is a Converse row otherwise."""
    if any(key in row for key in _CONVERSE_KEYS) or isinstance(row.get("system"), list):
        return False
    messages = row["messages"]
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        for item in content if isinstance(content, list) else ():
            if isinstance(item, dict) and "type" not in item and any(name in item for name in CONTENT):
                return False
    return True


def to_converse(row: dict[str, Any], *, system: str = "system", bucket_owner: str = "bucket_owner") -> dict[str, Any]:
    """Return the Converse row that says what an OpenAI chat row says; it is not validated yet.

    The text under the key `system` of the row, if any, and system and developer messages at the start are joined by
    empty lines. Tool messages in a row, and the user message that follows them, make one user turn. Calls without an id
    get `tool_call_0`, `tool_call_1` and so on; tool messages without an id answer the calls in order. The key
    `bucket_owner` of the row tells who owns the buckets of its images.

    Raises:
        RejectedRowError: With everything that cannot be said in a Converse row.
    """
    messages = row["messages"]
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise RejectedRowError([Fault("wrong_type", "messages is not an array of objects")])
    reader = MessageReader(owner=row.get(bucket_owner), taken=frozenset(_given_ids(messages)))
    reader.instruct(row.get(system), system)
    for index, message in enumerate(messages):
        reader.read(message, f"messages[{index}]")
    config = _tool_config(row, reader.faults)
    if reader.faults:
        raise RejectedRowError(reader.faults)
    told = {"system": [{"text": "\n\n".join(reader.system)}]} if reader.system else {}
    return {"schemaVersion": SCHEMA_VERSION, **told, "messages": reader.turns, **config}


def _given_ids(messages: list[dict[str, Any]]) -> Iterator[str]:
    for message in messages:
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict) and isinstance(call.get("id"), str):
                yield call["id"]


def _tool_config(row: dict[str, Any], faults: list[Fault]) -> dict[str, Any]:
    for old in ("functions", "function_call"):
        if row.get(old) is not None:
            faults.append(Fault("unknown_key", f"{old} is the old way to define tools; write tools"))
    tools = row.get("tools")
    if tools is None or tools == []:
        return {}
    if not isinstance(tools, list):
        faults.append(Fault("wrong_type", f"tools is {kind(tools)}, not an array"))
        return {}
    return {"toolConfig": {"tools": [_tool(tool, f"tools[{index}]", faults) for index, tool in enumerate(tools)]}}


def _tool(tool: Any, place: str, faults: list[Fault]) -> dict[str, Any]:
    function = tool.get("function") if isinstance(tool, dict) and tool.get("type", "function") == "function" else None
    if not isinstance(function, dict):
        faults.append(Fault("tool_spec", f'{place} is not a tool of the type "function"'))
        return {}
    spec = {name: function[name] for name in ("name", "description") if name in function}
    parameters = function.get("parameters")
    return {"toolSpec": {**spec, "inputSchema": {"json": _NO_PARAMETERS if parameters is None else parameters}}}
