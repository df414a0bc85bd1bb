"""Conversations as the smaller forms read them: in Converse or OpenAI form, checked, and taken apart."""

from __future__ import annotations

from typing import Any, Final

from lambda_handlers.datasets.faults import Fault, RejectedRowError
from lambda_handlers.datasets.forms import converse, openai_chat
from lambda_handlers.datasets.forms.form import RowSettings

CONVERSE_KEYS: Final = ("schemaVersion", "system", "messages", "toolConfig")


def converse_part(row: dict[str, Any], settings: RowSettings) -> dict[str, Any]:
    """Return the good Converse row within a row in Converse form; keys that are not Converse's are left out.

    Raises:
        RejectedRowError: With everything that the Converse rules say against it.
    """
    part: dict[str, Any] = {key: row[key] for key in CONVERSE_KEYS if key in row}
    if found := converse.faults(part, settings.nova, multimodal=settings.multimodal):
        raise RejectedRowError(found)
    return part


def question_and_answer(row: dict[str, Any], settings: RowSettings, *, system: str) -> dict[str, Any]:
    """Return query, response and, where there is one, system of a conversation of one question and its answer.

    Several texts of one turn are joined by line ends. `system` is the key of a system prompt beside OpenAI messages.

    Raises:
        RejectedRowError: When the conversation breaks a rule, or says more than a question and an answer.
    """
    chat = openai_chat.to_converse(row, system=system) if openai_chat.is_openai(row) else row
    chat = converse_part(chat, settings)
    messages = chat["messages"]
    found = [Fault("chat_tools", "toolConfig: a question for evaluation has no tools")] if "toolConfig" in chat else []
    if len(messages) != 2:
        sentence = f"messages: the conversation has {len(messages)} turns; one question and one answer are needed"
        found.append(Fault("conversation", sentence))
    for turn, message in enumerate(messages):
        for index, item in enumerate(message["content"]):
            found += [
                Fault("text_only", f"messages[{turn}].content[{index}] is {name}; only text can be kept")
                for name in item
                if name != "text"
            ]
    if found:
        raise RejectedRowError(found)
    query, response = (_text(message["content"]) for message in messages)
    said = {"system": _text(chat["system"])} if "system" in chat else {}
    if "system" not in said and settings.system_prompt is not None:
        said = {"system": settings.system_prompt}
    return {"query": query, "response": response, **said}


def _text(items: list[dict[str, Any]]) -> str:
    return "\n".join(item["text"] for item in items)
