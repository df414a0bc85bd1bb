"""OpenAI chat messages, one after the other, as turns of a Converse row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from lambda_handlers.datasets.faults import Fault, RejectedRowError
from lambda_handlers.datasets.forms import converse_media as media
from lambda_handlers.datasets.forms import parsing
from lambda_handlers.datasets.forms.texts import is_named, kind, optional_text, required_text

_SYSTEM: Final = ("system", "developer")
_KEYS: Final = {
    "system": {"role", "content"},
    "developer": {"role", "content"},
    "user": {"role", "content"},
    "assistant": {"role", "content", "reasoning", "tool_calls"},
    "tool": {"role", "content", "tool_call_id", "name"},
}


@dataclass(slots=True)
class MessageReader:
    """Reads the messages of one row in order into `system`, `turns` and `faults`.

    `owner` owns the buckets of the images; `taken` are the ids of tool calls that are not to be made up, `open_calls`
    those that nothing answers yet, in order.
    """

    owner: Any
    taken: frozenset[str]
    system: list[str] = field(default_factory=list)
    turns: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    open_calls: dict[str, None] = field(default_factory=dict)
    made_up: int = 0
    answering: bool = False

    def instruct(self, text: Any, place: str) -> None:
        """Take a system prompt that stands beside the messages; null and blank ones say nothing."""
        if not _is_blank(text):
            self.faults += optional_text(text, place)
            self.system.append(text)

    def read(self, message: dict[str, Any], place: str) -> None:
        """Take the next message."""
        role = message.get("role")
        if not isinstance(role, str) or role not in _KEYS:
            self.faults.append(Fault("chat_role", f"{place}.role is {role!r}; allowed: {', '.join(_KEYS)}"))
            return
        for key in sorted(message.keys() - _KEYS[role]):
            if message[key] not in (None, [], "") and (key, message[key]) != ("weight", 1):
                self.faults.append(Fault("unknown_key", f"{place}.{key} cannot be kept in a Converse row"))
        if role in _SYSTEM:
            self._system(message, place)
        elif role == "tool":
            self._tool(message, place)
        elif role == "user":
            self._user(message, place)
        else:
            self._assistant(message, place)

    def _system(self, message: dict[str, Any], place: str) -> None:
        if self.turns:
            self.faults.append(
                Fault("system_position", f"{place}: a {message['role']} message stands behind the first turn")
            )
        if _is_blank(message.get("content")):
            return
        items = self._items(message, place)
        if any("text" not in item for item in items):
            self.faults.append(Fault("content", f"{place}.content has more than text"))
        self.system += [item["text"] for item in items if "text" in item]

    def _user(self, message: dict[str, Any], place: str) -> None:
        items = self._items(message, place)
        if self.answering:
            self.turns[-1]["content"] += items
        else:
            self.turns.append({"role": "user", "content": items})
        self.answering = False

    def _tool(self, message: dict[str, Any], place: str) -> None:
        identity = message.get("tool_call_id")
        if identity is None:
            identity = next(iter(self.open_calls), "")
        if isinstance(identity, str):
            self.open_calls.pop(identity, None)
        content = message.get("content")
        texts = [{"text": content}] if isinstance(content, str) else self._items(message, place)
        if not self.answering:
            self.turns.append({"role": "user", "content": []})
        self.turns[-1]["content"].append({"toolResult": {"toolUseId": identity, "content": texts}})
        self.answering = True

    def _assistant(self, message: dict[str, Any], place: str) -> None:
        content: list[dict[str, Any]] = []
        reasoning, calls = message.get("reasoning"), message.get("tool_calls")
        if isinstance(reasoning, str) and not reasoning.strip():
            reasoning = None
        if reasoning is not None:
            content.append({"reasoningContent": {"reasoningText": {"text": reasoning}}})
        if not calls or not _is_blank(message.get("content")):
            content += self._items(message, place)
        content += self._calls(calls, f"{place}.tool_calls") if calls else []
        self.turns.append({"role": "assistant", "content": content})
        self.answering = False

    def _items(self, message: dict[str, Any], place: str) -> list[dict[str, Any]]:
        """Return the content of a message as Converse items, blank texts left out where other parts say something."""
        content = message.get("content")
        if not isinstance(content, list):
            self.faults += required_text(content, f"{place}.content")
            return [{"text": content}]
        items = [self._part(part, f"{place}.content[{index}]") for index, part in enumerate(content)]
        said = [item for item in items if item and not _is_blank(item.get("text", "-"))]
        if not said and all(item is not None for item in items):
            self.faults.append(Fault("missing_text", f"{place}.content is empty"))
        return said

    def _part(self, part: Any, place: str) -> dict[str, Any] | None:
        name = part.get("type") if isinstance(part, dict) else None
        if name == "text":
            self.faults += optional_text(part.get("text"), f"{place}.text")
            return {"text": part.get("text")}
        if name == "image_url":
            return self._image(part.get("image_url"), f"{place}.image_url")
        self.faults.append(Fault("content", f"{place} is of the type {name!r}; allowed: text, image_url"))
        return None

    def _image(self, value: Any, place: str) -> dict[str, Any] | None:
        image = value if isinstance(value, dict) else {"url": value}
        uri, owner = image.get("url"), image.get("bucket_owner", self.owner)
        if not isinstance(uri, str) or not uri.startswith("s3://"):
            shown = uri[:40] if isinstance(uri, str) else uri
            self.faults.append(
                Fault("media_location", f"{place}.url is {shown!r}; upload the image to S3 and give its s3:// address")
            )
            return None
        if not is_named(owner):
            self.faults.append(
                Fault("media_owner", f"{place}.bucket_owner is missing, and so is bucket_owner of the row")
            )
            return None
        return media.item("image", str(image.get("format") or PurePosixPath(uri).suffix[1:]), uri, owner)

    def _calls(self, calls: Any, place: str) -> Iterator[dict[str, Any]]:
        if not isinstance(calls, list):
            self.faults.append(Fault("wrong_type", f"{place} is {kind(calls)}, not an array"))
            return
        for index, call in enumerate(calls):
            function = call.get("function") if isinstance(call, dict) else None
            if not isinstance(function, dict) or call.get("type", "function") != "function":
                self.faults.append(Fault("content", f'{place}[{index}] is not a call of the type "function"'))
                continue
            identity = call.get("id")
            if identity is None:
                identity = self._new_id()
            if isinstance(identity, str):
                self.open_calls[identity] = None
            arguments = self._arguments(function.get("arguments"), f"{place}[{index}].function.arguments")
            yield {"toolUse": {"toolUseId": identity, "name": function.get("name"), "input": arguments}}

    def _new_id(self) -> str:
        while (identity := f"tool_call_{self.made_up}") in self.taken:
            self.made_up += 1
        self.made_up += 1
        return identity

    def _arguments(self, arguments: Any, place: str) -> Any:
        if isinstance(arguments, dict):
            return arguments
        if not isinstance(arguments, str):
            self.faults.append(Fault("tool_input", f"{place} is {kind(arguments)}, not a JSON object"))
            return None
        try:
            return parsing.parse(arguments.encode())
        except RejectedRowError as refusal:
            reason = refusal.faults[0].message.replace("the line", "the text").replace("the row", "the text")
            self.faults.append(Fault("tool_input", f"{place} is not a JSON object: {reason}"))
            return None


def _is_blank(content: Any) -> bool:
    return content is None or content == [] or (isinstance(content, str) and not content.strip())
