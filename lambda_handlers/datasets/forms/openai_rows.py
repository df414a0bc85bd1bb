"""OpenAI chat rows as a target: what `nova data convert --to openai` makes.

A good OpenAI row is one that says what a good Converse row says: its rules are those of Converse, read through
`openai_chat.to_converse`. What Converse can say and OpenAI's form cannot is a fault; nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from lambda_handlers.datasets.faults import Fault, RejectedRowError
from lambda_handlers.datasets.forms import converse, flat_conversation, openai_chat, quick, sft
from lambda_handlers.datasets.forms.form import Form, RowSettings, RowTransform

_ORDER: Final = {
    "user": ({"toolResult"}, {"text", "image"}),
    "assistant": ({"reasoningContent"}, {"text"}, {"toolUse"}),
}


def faults(row: dict[str, Any]) -> list[Fault]:
    """List everything that is wrong with a row in OpenAI form."""
    found = [
        Fault("unknown_key", f'the key "{key}" is not part of an OpenAI row')
        for key in sorted(row.keys() - {"messages", "tools"})
    ]
    if "messages" not in row:
        return [*found, Fault("not_in_form", 'the row has no "messages"')]
    if not openai_chat.is_openai(row):
        return [*found, Fault("not_in_form", "messages are in Converse form, not in OpenAI's")]
    try:
        return found + converse.faults(openai_chat.to_converse(row), nova=2)
    except RejectedRowError as refusal:
        return [*found, *refusal.faults]


def from_converse(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the OpenAI chat row that says what a good Converse row says.

    Several texts, or a text and images, of one turn become content parts; one text is written as a text. Tool results
    become messages of the role `tool`, before what the user says in the same turn. Images keep their format and the
    owner of their bucket beside the address.

    Raises:
        RejectedRowError: With everything that cannot be said in OpenAI's form.
    """
    found: list[Fault] = []
    messages: list[dict[str, Any]] = []
    for item in row.get("system", ()):
        messages += [{"role": "system", "content": item["text"]}] if item["text"].strip() else []
    for index, message in enumerate(row["messages"]):
        place = f"messages[{index}].content"
        found += _turn_faults(message, place)
        if not found:
            messages += _MAKERS[message["role"]](message["content"])
    if found:
        raise RejectedRowError(found)
    tools = [_tool(tool["toolSpec"]) for tool in row["toolConfig"]["tools"]] if "toolConfig" in row else []
    return {"messages": messages, **({"tools": tools} if tools else {})}


def _turn_faults(message: Mapping[str, Any], place: str) -> Iterator[Fault]:
    """Yield what of a turn has no place in OpenAI's form, or stands where that form cannot put it."""
    order = _ORDER[message["role"]]
    reached = 0
    names = [next(iter(item)) for item in message["content"]]
    for index, (name, item) in enumerate(zip(names, message["content"], strict=True)):
        step = next((step for step, kinds in enumerate(order) if name in kinds), None)
        if step is None:
            yield Fault("content", f"{place}[{index}]: an OpenAI row cannot hold a {name}")
        elif step < reached:
            yield Fault("content", f"{place}[{index}]: an OpenAI row cannot hold a {name} at this place of the turn")
        else:
            reached = step
        if name == "toolResult":
            yield from _result_faults(item[name], f"{place}[{index}].toolResult")
    if names.count("reasoningContent") > 1:
        yield Fault("content", f"{place}: an OpenAI row holds one reasoning per turn, not several")


def _result_faults(result: Mapping[str, Any], place: str) -> Iterator[Fault]:
    if "status" in result:
        yield Fault("tool_result", f"{place}.status cannot be kept in an OpenAI row")
    for index, item in enumerate(result["content"]):
        if "text" not in item:
            yield Fault("tool_result", f"{place}.content[{index}] is not text; an OpenAI row holds text only")


def _user(content: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in content:
        if "toolResult" in item:
            result = item["toolResult"]
            yield {"role": "tool", "tool_call_id": result["toolUseId"], "content": _result_text(result["content"])}
    parts = [_part(item) for item in content if "toolResult" not in item and item.get("text", "-").strip()]
    if parts:
        yield {"role": "user", "content": _simplest(parts)}


def _assistant(content: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    parts = [_part(item) for item in content if item.get("text", "").strip()]
    thoughts = [item["reasoningContent"]["reasoningText"]["text"] for item in content if "reasoningContent" in item]
    calls = [_call(item["toolUse"]) for item in content if "toolUse" in item]
    yield {
        "role": "assistant",
        "content": _simplest(parts) if parts else None,
        **({"reasoning": thoughts[0]} if thoughts else {}),
        **({"tool_calls": calls} if calls else {}),
    }


_MAKERS: Final[Mapping[str, Callable[[list[dict[str, Any]]], Iterator[dict[str, Any]]]]] = {
    "user": _user,
    "assistant": _assistant,
}


def _part(item: Mapping[str, Any]) -> dict[str, Any]:
    if "text" in item:
        return {"type": "text", "text": item["text"]}
    image = item["image"]
    location = image["source"]["s3Location"]
    address = {"url": location["uri"], "format": image["format"], "bucket_owner": location["bucketOwner"]}
    return {"type": "image_url", "image_url": address}


def _simplest(parts: list[dict[str, Any]]) -> Any:
    return parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else parts


def _result_text(content: list[dict[str, Any]]) -> Any:
    # A tool may have answered nothing; one blank text says that, and blank texts beside others say nothing.
    return _simplest([_part(item) for item in content if item["text"].strip()] or [_part(content[0])])


def _call(use: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": use["name"], "arguments": orjson.dumps(use["input"]).decode()}
    return {"id": use["toolUseId"], "type": "function", "function": function}


def _tool(spec: Mapping[str, Any]) -> dict[str, Any]:
    names = {name: spec[name] for name in ("name", "description")}
    return {"type": "function", "function": {**names, "parameters": spec["inputSchema"]["json"]}}


class OpenAiTransform:
    """Turn any row that can be made a Converse row into an OpenAI row: through Converse, whose rules it keeps."""

    def __init__(self, settings: RowSettings) -> None:
        self._as_is = settings.as_is
        self._through: RowTransform = sft.CONVERSE.make(replace(settings, as_is=False, media=None))
        self.columns_seen = self._through.columns_seen
        self.features = 0
        self.media_bits = 0

    def __call__(self, line: bytes) -> bytes:
        """Return the OpenAI line made of a row of JSON; raise RejectedRowError with every fault found."""
        if self._as_is:
            return self._checked(line)
        return self._finish(self._through(line))

    def from_columns(self, values: Mapping[str, str]) -> bytes:
        """Return the OpenAI line made of a CSV row; raise RejectedRowError with every fault found."""
        if self._as_is:
            raise RejectedRowError([Fault("not_in_form", "the row has columns, not messages in OpenAI form")])
        return self._finish(self._through.from_columns(values))

    def prompt(self) -> str:
        """Return what the user says in the row made last."""
        return self._through.prompt()

    def buckets(self) -> Collection[str]:
        """Return none: no Nova job reads rows of this form."""
        return ()

    def _checked(self, line: bytes) -> bytes:
        row = quick.parse(line)
        if found := faults(row):
            raise RejectedRowError(found)
        self._finish(self._through(line))
        return orjson.dumps(row)

    def _finish(self, made: bytes) -> bytes:
        row = from_converse(orjson.loads(made))
        self.features = self._through.features
        return orjson.dumps(row)


OPENAI: Final = Form(
    name="openai",
    output="openai.jsonl",
    required=flat_conversation.REQUIRED,
    optional=flat_conversation.OPTIONAL,
    make=OpenAiTransform,
    features=converse.FEATURES,
    modalities=("image",),
)
