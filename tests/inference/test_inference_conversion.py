"""A line of answers becomes a row of results, and no character of any text is lost or changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambda_handlers.inference import parsing
from lambda_handlers.inference.conversion import BrokenLineError, convert, to_line
from lambda_handlers.inference.parsing import NotAValueError, value_of

TRICKY = st.text(alphabet=st.sampled_from("'\"\\\n\r\t[]{}(),:#nux0\u2028\ud83d\ude00é𝄞"))
TEXTS = st.one_of(st.text(), TRICKY, st.text(alphabet=st.characters(exclude_categories=())))
TURNS = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": TEXTS}), max_size=4
).map(lambda turns: [*turns, {"role": "user", "content": "last?"}])


def made(**line: Any) -> dict[str, Any]:
    """Return the row of a line, read back from how it is written."""
    row: dict[str, Any] = json.loads(to_line(convert(json.dumps(line).encode())))
    return row


@pytest.mark.parametrize("form", [repr, json.dumps, lambda value: value], ids=["repr", "JSON text", "JSON"])
@given(system=TEXTS, query=TEXTS, gold=TEXTS, answer=TEXTS, metadata=TEXTS)
@example(system="It's", query='He said "hi"\n', gold="\\n", answer="'a', 'b'", metadata="['x']")
def test_every_text_survives(form: Any, system: str, query: str, gold: str, answer: str, metadata: str) -> None:
    turns = [{"role": "system", "content": system}, {"role": "user", "content": query}]
    row = made(prompt=form(turns), inference=form([answer]), gold=gold, metadata=metadata)
    # JSON has no way to tell two halves of a pair from the character that they make.
    expected = {"system": system, "query": query, "gold_response": gold, "inference_response": answer}
    assert {name: row[name] for name in expected} == _as_json(expected)
    assert row["metadata"] == _as_json(metadata)


@given(turns=TURNS, answers=st.lists(TEXTS, min_size=2, max_size=4))
def test_every_turn_and_every_candidate_survives(turns: list[dict[str, str]], answers: list[str]) -> None:
    row = made(prompt=repr(turns), inference=repr(answers), gold="")
    assert row.get("messages", [{"role": "user", "content": row["query"]}]) == _as_json(turns)
    assert row["inference_responses"] == _as_json(answers)
    assert (row["query"], row["inference_response"]) == ("last?", _as_json(answers[0]))


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def test_the_line_of_the_sdk_becomes_what_the_sdk_promised() -> None:
    """The example of the SDK, and beside it the texts that it corrupts."""
    turns = [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Capital of Peru?"}]
    assert made(prompt=repr(turns), inference="['Lima']", gold="Lima", metadata="m1") == {
        "system": "Be brief",
        "query": "Capital of Peru?",
        "gold_response": "Lima",
        "inference_response": "Lima",
        "metadata": "m1",
    }
    row = made(prompt=repr([{"role": "user", "content": 'What\'s "up"?'}]), inference=repr(["ok\nthen", "b"]), gold="")
    assert row == {
        "system": "",
        "query": 'What\'s "up"?',
        "gold_response": "",
        "inference_response": "ok\nthen",
        "inference_responses": ["ok\nthen", "b"],
    }


def test_marks_of_the_model_stay() -> None:
    wrapped = "<|begin_of_solution|>4<|end_of_solution|>"
    assert made(prompt=repr([{"role": "user", "content": "2+2"}]), inference=repr([wrapped]), gold="4")[
        "inference_response"
    ] == (wrapped)


def test_parts_of_a_turn_are_told_by_their_texts_and_kept() -> None:
    parts = [{"type": "image", "data": "aGk="}, {"type": "text", "text": "What is"}, {"type": "text", "text": "this?"}]
    turns = [{"role": "user", "content": parts}]
    row = made(prompt=repr(turns), inference="['a cat']", gold="a cat")
    assert (row["query"], row["messages"]) == ("What is\nthis?", turns)


PROMPT = repr([{"role": "user", "content": "Hi"}])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({"inference": "['a']", "gold": ""}, "it has no prompt"),
        ({"prompt": PROMPT, "gold": ""}, "it has no inference"),
        ({"prompt": PROMPT, "inference": "['a']"}, "it has no gold"),
        ({"prompt": PROMPT, "inference": "['a']", "gold": None}, "gold is None, not a text"),
        ({"prompt": PROMPT, "inference": "[]", "gold": ""}, "inference is [], not a list of at least one answer"),
        ({"prompt": PROMPT, "inference": "['a', 1]", "gold": ""}, "inference is ['a', 1], not a list of at least"),
        ({"prompt": PROMPT, "inference": "a'b", "gold": ""}, "neither JSON nor a Python literal at character 2"),
        ({"prompt": "[]", "inference": "['a']", "gold": ""}, "prompt is [], not a list of chat messages"),
        ({"prompt": "[{'role': 'user'}]", "inference": "['a']", "gold": ""}, "not a list of chat messages"),
        ({"prompt": "[{'role': 'user', 'content': 'a', 1: 2}]", "inference": "['a']", "gold": ""}, "chat messages"),
        ({"prompt": "[{'role': 'user', 'content': 'a', 'x': b'y'}]", "inference": "['a']", "gold": ""}, "chat"),
        ({"prompt": repr([{"role": "assistant", "content": "a"}]), "inference": "['a']", "gold": ""}, "no turn of a"),
        (["a"], "it is not a JSON object"),
    ],
)
def test_what_cannot_be_read_says_why(line: Any, why: str) -> None:
    with pytest.raises(BrokenLineError) as found:
        convert(json.dumps(line).encode())
    assert why in str(found.value)


@pytest.mark.parametrize("line", [b"", b"\n", b"{", b"\xff{}", b'{"prompt": NaN}', b"[" * 100_000])
def test_a_line_that_is_no_json_is_refused(line: bytes) -> None:
    with pytest.raises(BrokenLineError, match="it is not JSON"):
        convert(line)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "[" * 40 + "]" * 40,
        "[ # '\n" + "[" * 40 + "]" * 40 + " # '\n]",  # what a scan that knows no comments would take for a text
        "'''a''' + [[[" + "]]]",
        "['a' 'b']",
        "[" + "1," * parsing.MOST_TOKENS + "]",
        "f'{1}'",
        "",
    ],
    ids=["a call", "depth", "hidden depth", "three quotes", "joined texts", "parts", "a template", "nothing"],
)
def test_nothing_but_values_within_limits_is_read(text: str) -> None:
    with pytest.raises(NotAValueError):
        value_of(text)


def test_a_text_that_is_too_long_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "MOST_CHARACTERS", 10)
    assert value_of("'12345678'") == "12345678"
    with pytest.raises(NotAValueError, match="of 11 characters; at most 10"):
        value_of("'123456789'")
