"""Rows for reinforcement fine-tuning: a prompt in OpenAI's form, what is known of the answer, and any other keys.

Rules: AWS, Nova reinforcement fine-tuning pages. The roles are the three that AWS documents; text only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lambda_handlers.datasets.faults import Fault
from lambda_handlers.datasets.forms import chats, openai_chat, openai_rows, parsing
from lambda_handlers.datasets.forms.fields import Field, FieldTransform, is_blank
from lambda_handlers.datasets.forms.form import Form, RowSettings
from lambda_handlers.datasets.forms.rft_tools import tools_faults
from lambda_handlers.datasets.forms.texts import is_missing, kind, required_plain_text

ROLES: Final = ("system", "user", "assistant")
_TOOL_KEYS: Final = ("tool_calls", "tool_call_id")


def faults(row: dict[str, Any]) -> list[Fault]:
    """List everything that is wrong with a row `{messages, id?, reference_answer?, tools?, …}`."""
    found = list(_messages_faults(row.get("messages")))
    for name, field in FIELDS.items():
        if name in RFT.features and name in row:
            found += field.rule(row[name], name)
    return found


def _messages_faults(messages: Any) -> Iterator[Fault]:
    if not isinstance(messages, list) or not messages:
        yield Fault("wrong_type", f"messages is {kind(messages)}, not an array with at least one message")
        return
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            yield Fault("wrong_type", f"messages[{index}] is {kind(message)}, not an object")
        else:
            yield from _message_faults(message, index)
    if not any(isinstance(message, dict) and message.get("role") == "user" for message in messages):
        yield Fault("no_question", "messages: no message has the role user")


def _message_faults(message: dict[str, Any], index: int) -> Iterator[Fault]:
    place, role = f"messages[{index}]", message.get("role")
    if role == "tool" or any(message.get(key) for key in _TOOL_KEYS):
        yield Fault("chat_tools", f"{place} uses a tool; a prompt for reinforcement fine-tuning has text only")
        return
    if role not in ROLES:
        yield Fault("chat_role", f"{place}.role is {role!r}; allowed: {', '.join(ROLES)}")
    if role == "system" and index:
        yield Fault("system_position", f"{place}: the system message is not the first")
    if not is_blank(message.get("reasoning")):
        yield Fault("text_only", f"{place}.reasoning has no place in a row for reinforcement fine-tuning; remove it")
    content = message.get("content")
    if isinstance(content, list):
        yield Fault("text_only", f"{place}.content has parts that are not text")
    else:
        yield from required_plain_text(content, f"{place}.content")


def _answer_faults(answer: Any, place: str) -> Iterator[Fault]:
    if is_missing(answer):
        yield Fault("missing_text", f"{place} is {'null' if answer is None else 'empty'}")
    elif not isinstance(answer, str | dict):
        yield Fault("reference_answer", f"{place} is {kind(answer)}, not a text or an object")
    elif not answer:
        yield Fault("reference_answer", f"{place} is an object with nothing in it")


def _written_id(value: Any) -> Any:
    """Return the text of a number that a column counts rows with: the form wants a text."""
    return str(value) if type(value) is int else value


def _answer_from_text(text: str) -> Any:
    """Return what a CSV text means: the JSON object that it is, or a text (numbers, too, are texts there)."""
    return parsing.value_of(text) if text.lstrip().startswith("{") else text


FIELDS: Final = {
    "id": Field(rule=required_plain_text, read=_written_id),
    "system": Field(rule=required_plain_text),
    "question": Field(rule=required_plain_text),
    "reference_answer": Field(rule=_answer_faults, from_text=_answer_from_text),
    "tools": Field(rule=tools_faults, from_text=parsing.value_of),
}


class RftTransform(FieldTransform):
    """Turn flat rows and conversations into prompts with what is known of their answers.

    Columns mapped to names that the form does not know pass through under those names; other columns of flat rows are
    dropped. Rows that are of the form already keep whatever else they bring.
    """

    def __init__(self, settings: RowSettings) -> None:
        super().__init__(RFT, FIELDS, settings)
        self._extras = {name: column for name, column in settings.columns.items() if name not in FIELDS}

    def prompt(self) -> str:
        """Return what the user says, messages joined by line ends."""
        return "\n".join(message["content"] for message in self._made["messages"] if message["role"] == "user")

    def _row_faults(self, row: dict[str, Any]) -> list[Fault]:
        return faults(row)

    def _is_of_form(self, row: dict[str, Any]) -> bool:  # noqa: ARG002 -- the base's signature
        return False  # rows of the form are conversations, and what makes them so is done in one place

    def _is_conversation(self, row: dict[str, Any]) -> bool:
        return "messages" in row and (isinstance(row["messages"], list) or self._columns["question"] not in row)

    def _assembled(self, values: dict[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
        said = (("system", values.get("system")), ("user", values["question"]))
        messages = [{"role": role, "content": text} for role, text in said if text is not None]
        identity = {"id": values["id"]} if "id" in values else {}
        rest: dict[str, Any] = {name: values[name] for name in ("reference_answer", "tools") if name in values}
        extras = {name: row[column] for name, column in self._extras.items() if column in row}
        return {**identity, "messages": messages, **rest, **extras}

    def _from_conversation(self, row: dict[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
        made = {name: value for name, value in row.items() if not (name in RFT.features and value in (None, []))}
        is_converse = not openai_chat.is_openai(row)
        if is_converse:
            chat = openai_rows.from_converse(chats.converse_part(row, self._settings))
            others = {name: value for name, value in made.items() if name not in chats.CONVERSE_KEYS}
            made = {**others, **chat}
        made["messages"] = _text_messages(made["messages"])
        moved = _answer_moved(made)
        if moved is not made or is_converse:
            moved = self._instructed(moved)
        return moved, [*faults(moved), *_answer_key_faults(moved)]

    def _instructed(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row made of a conversation with the system prompt that stood beside it, or the configured one."""
        beside = self._columns["system"]
        prompt = row.get(beside)
        if isinstance(prompt, str) and not is_blank(prompt):
            rest = {name: value for name, value in row.items() if name != beside}
            system = {"role": "system", "content": prompt}
            return {**rest, "messages": _text_messages([system, *row["messages"]])}
        if self._settings.system_prompt is None or _is_system(row["messages"][0]):
            return row
        return {**row, "messages": [{"role": "system", "content": self._settings.system_prompt}, *row["messages"]]}


def _text_messages(messages: Any) -> Any:
    """Return messages with plain texts as content, the role `developer` as `system`, and system messages joined."""
    if not isinstance(messages, list):
        return messages
    made = [_text_message(message) for message in messages]
    leading: list[str] = []
    while made and _is_system(made[0]):
        leading.append(made.pop(0)["content"])
    return [{"role": "system", "content": "\n\n".join(leading)}, *made] if leading else made


def _is_system(message: Any) -> bool:
    return (
        isinstance(message, dict)
        and message.get("role") == "system"
        and message.keys() == {"role", "content"}
        and isinstance(message["content"], str)
    )


def _text_message(message: Any) -> Any:
    if not isinstance(message, dict):
        return message
    made = {name: value for name, value in message.items() if name in ("role", "content") or _says(name, value)}
    if isinstance(role := made.get("role"), str):
        made["role"] = "system" if role.lower() == "developer" else role.lower()
    content = made.get("content")
    if isinstance(content, list) and all(_is_text_part(part) for part in content):
        made["content"] = "\n".join(part["text"] for part in content)
    return made


def _says(name: str, value: Any) -> bool:
    return not is_blank(value) and (name, value) != ("weight", 1)  # 1 is what OpenAI takes where there is no weight


def _is_text_part(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)


def _answer_moved(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row whose assistant's answer at the end has become the reference answer, if it brings no other."""
    answer = _answer(row)
    if answer is None or answer.keys() != {"role", "content"}:
        return row
    return {**row, "messages": row["messages"][:-1], "reference_answer": answer["content"]}


def _answer_key_faults(row: dict[str, Any]) -> Iterator[Fault]:
    """Yield what keeps the answer at the end from being the reference answer; the model must not be shown it."""
    answer = _answer(row) or {}
    for name in sorted(answer.keys() - {"role", "content", "reasoning"}):
        if name in _TOOL_KEYS and answer[name]:
            continue  # has a fault of its own, as reasoning has
        place = f"messages[{len(row['messages']) - 1}].{name}"
        yield Fault("unknown_key", f"{place} cannot be kept in the reference answer, which this becomes; remove it")


def _answer(row: dict[str, Any]) -> dict[str, Any] | None:
    """Return the message at the end in which the assistant answers, of a row that has no reference answer."""
    messages = row["messages"]
    last = messages[-1] if isinstance(messages, list) and len(messages) > 1 else None
    if "reference_answer" in row or not isinstance(last, dict) or last.get("role") != "assistant":
        return None
    content = last.get("content")
    return last if isinstance(content, str) and not is_blank(content) else None


RFT: Final = Form(
    name="rft",
    output="train.jsonl",
    required=("question", "reference_answer"),
    optional=("id", "system", "tools"),
    make=RftTransform,
    passes_through=True,
    reserved=frozenset({"messages", "schemaVersion", "toolConfig"}),  # the latter two make a row one of Converse form
    features=("id", "reference_answer", "tools"),
)
