"""Turn a line of `inference_output.jsonl` into a row of results; every character of every text stays as it was.

The container writes `prompt` as the Python repr of chat messages, `inference` as that of a list of answers, `gold` as a
text, and `metadata` only where the row had any (a real line of a Nova 2 run, amazon-nova-samples).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

from lambda_handlers.inference.parsing import NotAValueError, value_of

_SHOWN: Final = 60


class BrokenLineError(ValueError):
    """A line cannot be read; the message says what of it is wrong."""


def convert(line: bytes) -> dict[str, Any]:
    """Return `{system, query, gold_response, inference_response, metadata?}` of a line; raise BrokenLineError.

    `system` is empty where there is none, `query` the last turn of the user, `inference_response` the first answer.
    Where these do not tell everything, `messages` has the whole conversation and `inference_responses` all answers.
    """
    given = _document(line)
    messages = _messages(given)
    answers = _answers(given)
    gold = _member(given, "gold")
    if not isinstance(gold, str):
        _broken("gold", gold, "a text")
    system = next((_text(turn["content"]) for turn in messages if turn["role"] == "system"), "")
    asked = [turn for turn in messages if turn["role"] == "user"]
    if not asked:
        raise BrokenLineError("prompt has no turn of a user")
    query = _text(asked[-1]["content"])
    row: dict[str, Any] = {
        "system": system,
        "query": query,
        "gold_response": gold,
        "inference_response": answers[0],
    }
    if given.get("metadata") is not None:
        row["metadata"] = given["metadata"]
    if messages != _plain(system, query):
        row["messages"] = messages
    if len(answers) > 1:
        row["inference_responses"] = answers
    return row


def to_line(row: Mapping[str, Any]) -> bytes:
    """Return a row of results as a line of JSON; halves of surrogate pairs, which no UTF-8 has, are escaped."""
    try:
        return json.dumps(row, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(row).encode() + b"\n"


def _document(line: bytes) -> dict[str, Any]:
    try:
        given = json.loads(line.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BrokenLineError(f"it is not JSON ({error})") from error
    if not isinstance(given, dict):
        raise BrokenLineError("it is not a JSON object")
    return given


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _member(given: Mapping[str, Any], name: str) -> Any:
    if name not in given:
        raise BrokenLineError(f"it has no {name}")
    return given[name]


def _value(given: Mapping[str, Any], name: str) -> Any:
    """Return a member that is JSON, or a text that stands for a value."""
    found = _member(given, name)
    if not isinstance(found, str):
        return found
    try:
        return value_of(found)
    except NotAValueError as error:
        raise BrokenLineError(f"{name} is {_shown(found)}, {error}") from error


def _messages(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = _value(given, "prompt")
    if not isinstance(found, list) or not found or not all(map(_is_turn, found)):
        _broken("prompt", found, "a list of chat messages, each with role and content")
    return list(found)


def _is_turn(turn: Any) -> bool:
    if not isinstance(turn, dict) or not all(isinstance(name, str) for name in turn):
        return False
    content = turn.get("content")
    is_text = isinstance(content, str) or (
        isinstance(content, list) and all(isinstance(part, dict) for part in content)
    )
    return isinstance(turn.get("role"), str) and is_text and _is_json(turn)


def _is_json(value: Any) -> bool:
    """Tell whether a value can be written as JSON: a literal of Python may be bytes, a set or a complex number."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _answers(given: Mapping[str, Any]) -> list[str]:
    found = _value(given, "inference")
    if not isinstance(found, list) or not found or not all(isinstance(answer, str) for answer in found):
        _broken("inference", found, "a list of at least one answer")
    return list(found)


def _text(content: str | Sequence[Mapping[str, Any]]) -> str:
    """Return what is said in a turn; of several parts the texts, by lines."""
    if isinstance(content, str):
        return content
    return "\n".join(str(part["text"]) for part in content if isinstance(part.get("text"), str))


def _plain(system: str, query: str) -> list[dict[str, str]]:
    """Return the conversation that `system` and `query` tell all of."""
    before = [{"role": "system", "content": system}] if system else []
    return [*before, {"role": "user", "content": query}]


def _broken(name: str, found: Any, wanted: str) -> NoReturn:
    raise BrokenLineError(f"{name} is {_shown(found)}, not {wanted}")


def _shown(found: Any) -> str:
    text = repr(found)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
