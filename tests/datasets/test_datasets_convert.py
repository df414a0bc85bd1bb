"""Converse rows become OpenAI chat rows and come back unchanged."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_handlers.datasets.faults import RejectedRowError
from lambda_handlers.datasets.forms import converse, openai_chat, openai_rows, parsing, quick
from lambda_handlers.datasets.forms.openai_rows import OPENAI
from lambda_handlers.datasets.forms.sft import CONVERSE
from tests.datasets.forms_support import codes, line, made, refusal, transform

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
OPENAI_ROW = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather in Rome and Oslo?"},
        {
            "role": "assistant",
            "content": None,
            "reasoning": "need tool",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}},
                {"id": "c2", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "30C"},
        {"role": "tool", "tool_call_id": "c2", "content": "10C"},
        {"role": "user", "content": "So?"},
        {"role": "assistant", "content": "Rome 30C, Oslo 10C"},
    ],
    "tools": [
        {"type": "function", "function": {"name": "weather", "description": "Looks it up", "parameters": SCHEMA}}
    ],
}


def use(identity: str, city: str) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": identity, "name": "weather", "input": {"city": city}}}


def result(identity: str, text: str) -> dict[str, Any]:
    return {"toolResult": {"toolUseId": identity, "content": [{"text": text}]}}


def conversation(*turns: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    messages = [{"role": ("user", "assistant")[n % 2], "content": content} for n, content in enumerate(turns)]
    return {"schemaVersion": "bedrock-conversation-2024", **more, "messages": messages}


def text(said: str) -> dict[str, Any]:
    return {"text": said}


def thought(said: str) -> dict[str, Any]:
    return {"reasoningContent": {"reasoningText": {"text": said}}}


def media(kind: str, written: str, name: str = "i.png") -> dict[str, Any]:
    return {kind: {"format": written, "source": {"s3Location": {"uri": f"s3://b/{name}", "bucketOwner": "1234"}}}}


CONFIG = {"tools": [{"toolSpec": {"name": "weather", "description": "Looks it up", "inputSchema": {"json": SCHEMA}}}]}
CONVERSE_ROW = conversation(
    [text("Weather in Rome and Oslo?")],
    [thought("need tool"), use("c1", "Rome"), use("c2", "Oslo")],
    [result("c1", "30C"), result("c2", "10C"), text("So?")],
    [text("Rome 30C, Oslo 10C")],
    system=[text("Be brief.")],
    toolConfig=CONFIG,
)


def test_tools_parallel_calls_reasoning_and_results_go_both_ways() -> None:
    assert made(OPENAI, CONVERSE_ROW) == OPENAI_ROW
    assert made(CONVERSE, OPENAI_ROW) == CONVERSE_ROW


def test_flat_rows_and_openai_rows_become_openai_rows_too() -> None:
    flat = {"q": "x", "answer": "y", "system": "S"}
    assert made(OPENAI, flat, columns={"question": "q"})["messages"] == [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": "y"},
    ]
    assert made(OPENAI, OPENAI_ROW) == OPENAI_ROW
    assert json.loads(transform(OPENAI).from_columns({"question": "x", "answer": "y"})) == {
        "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]
    }


def test_several_texts_and_images_become_parts_with_format_and_owner() -> None:
    row = conversation([media("image", "png"), text("a"), text("b")], [text("c")])
    address = {"url": "s3://b/i.png", "format": "png", "bucket_owner": "1234"}
    assert made(OPENAI, row)["messages"][0]["content"] == [
        {"type": "image_url", "image_url": address},
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
    ]
    assert made(CONVERSE, made(OPENAI, row)) == row


def test_blank_texts_beside_others_say_nothing_and_a_blank_answer_of_a_tool_says_so() -> None:
    results = [{"toolResult": {"toolUseId": "c1", "content": [text("30C"), text(" ")]}}, result("c2", " ")]
    turns = ([text(" "), text("x")], [use("c1", "Rome"), use("c2", "Oslo")], results, [text("y"), text("")])
    messages = made(OPENAI, conversation(*turns, toolConfig=CONFIG))["messages"]
    assert [message["content"] for message in messages] == ["x", None, "30C", " ", "y"]


JSON_RESULT = {"toolResult": {"toolUseId": "c1", "content": [{"json": {"t": 30}}]}}
STATUS = {"toolResult": {"toolUseId": "c1", "content": [{"text": "x"}], "status": "error"}}


@pytest.mark.parametrize(
    ("row", "code", "sentence"),
    [
        (
            conversation([media("video", "mp4", "v.mp4"), text("x")], [text("y")]),
            "content",
            "messages[0].content[0]: an OpenAI row cannot hold a video",
        ),
        (
            conversation([media("document", "pdf", "d.pdf"), text("x")], [text("y")]),
            "content",
            "messages[0].content[0]: an OpenAI row cannot hold a document",
        ),
        (
            conversation([text("x")], [use("c1", "Rome")], [JSON_RESULT], [text("y")], toolConfig=CONFIG),
            "tool_result",
            "messages[2].content[0].toolResult.content[0] is not text",
        ),
        (
            conversation([text("x")], [use("c1", "Rome")], [STATUS], [text("y")], toolConfig=CONFIG),
            "tool_result",
            "messages[2].content[0].toolResult.status",
        ),
        (
            conversation(
                [text("x")], [use("c1", "O")], [text("So?"), result("c1", "r")], [text("y")], toolConfig=CONFIG
            ),
            "content",
            "messages[2].content[1]: an OpenAI row cannot hold a toolResult at this place",
        ),
        (
            conversation([text("x")], [text("y"), thought("z")]),
            "content",
            "messages[1].content[1]: an OpenAI row cannot hold a reasoningContent at this place",
        ),
        (
            conversation([text("x")], [thought("y"), thought("z"), text("w")]),
            "content",
            "messages[1].content: an OpenAI row holds one reasoning per turn",
        ),
    ],
)
def test_what_openai_cannot_say_is_a_fault_that_names_the_place(row: dict[str, Any], code: str, sentence: str) -> None:
    [(found, message)] = refusal(OPENAI, row)
    assert (found, sentence in message) == (code, True), message
    assert converse.faults(row, 2) == []


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({**OPENAI_ROW, "id": 1}, "unknown_key"),
        ({"question": "x", "answer": "y"}, "not_in_form"),
        (CONVERSE_ROW, "not_in_form"),
        ({"messages": [{"role": "user", "content": "x"}]}, "too_few_turns"),
        ({"messages": [{"role": "bot", "content": "x"}]}, "chat_role"),
    ],
)
def test_as_is_takes_good_openai_rows_only(row: dict[str, Any], code: str) -> None:
    assert code in codes(OPENAI, row, as_is=True)
    assert made(OPENAI, OPENAI_ROW, as_is=True) == OPENAI_ROW
    with pytest.raises(RejectedRowError):
        transform(OPENAI, as_is=True).from_columns({"question": "x", "answer": "y"})


def test_what_the_row_has_is_told_as_converse_tells_it() -> None:
    mine, theirs = transform(OPENAI), transform(CONVERSE)
    mine(line(CONVERSE_ROW))
    theirs(line(CONVERSE_ROW))
    assert (mine.features, mine.prompt()) == (theirs.features, theirs.prompt())
    assert mine.prompt() == "Weather in Rome and Oslo?\nSo?"
    with pytest.raises(RejectedRowError):
        mine(line({"q": "x", "answer": "y"}))
    assert mine.columns_seen.rejected == 1


SAID = st.sampled_from(["a", "é\n", '"', "\\", "a\u2028", "{}"])
INPUTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | SAID,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(SAID, inner, max_size=2),
    max_leaves=4,
)


@st.composite
def conversations(draw: st.DrawFn) -> dict[str, Any]:
    """Good Converse rows of everything that OpenAI can say, pictures and tools not in one row."""
    texts = st.lists(SAID.map(text), min_size=1, max_size=2)
    turns: list[list[dict[str, Any]]] = []
    waiting: list[str] = []
    with_tools = draw(st.booleans())
    for number in range(draw(st.integers(1, 3))):
        results = [
            {"toolResult": {"toolUseId": identity, "content": draw(st.lists(SAID.map(text), min_size=1, max_size=2))}}
            for identity in waiting
        ]
        pictures = [] if with_tools else draw(st.lists(st.just(media("image", "png")), max_size=2))
        turns.append([*results, *pictures, *(draw(texts) if not results or draw(st.booleans()) else [])])
        waiting = [f"c{number}-{n}" for n in range(draw(st.integers(0, 2)))] if with_tools else []
        uses = [
            {"toolUse": {"toolUseId": i, "name": "weather", "input": draw(st.dictionaries(SAID, INPUTS, max_size=2))}}
            for i in waiting
        ]
        thoughts = [thought(draw(SAID))] if not pictures and draw(st.booleans()) else []
        turns.append([*thoughts, *(draw(texts) if not uses or draw(st.booleans()) else []), *uses])
    parts: dict[str, Any] = {"toolConfig": CONFIG} if with_tools and draw(st.booleans()) else {}
    return conversation(*turns, **parts, **({"system": [text(draw(SAID))]} if draw(st.booleans()) else {}))


@settings(deadline=None)  # a busy machine is not a failure
@given(row=conversations())
def test_converse_to_openai_and_back_changes_nothing(row: dict[str, Any]) -> None:
    there = transform(OPENAI)(line(row))
    assert openai_rows.faults(json.loads(there)) == []
    assert transform(OPENAI)(there) == there
    assert transform(OPENAI, as_is=True)(there) == there
    back = transform(CONVERSE)(there)
    assert json.loads(back) == json.loads(transform(CONVERSE)(line(row)))
    assert openai_chat.to_converse(json.loads(there)) == json.loads(back)


ODD = SAID | st.sampled_from(["\ud800", "\0", "\u0085", "\U0001f600", "\\u0022"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SAID, inner, max_size=3),
    max_leaves=8,
)


FLAGS = st.booleans()


def parsed(parse: Callable[[bytes], Any], data: bytes) -> object:
    """Return what a parser makes of a line, types and order of keys included, or the faults that it finds."""
    try:
        return orjson.dumps(parse(data))
    except RejectedRowError as refused:
        return refused.faults


@settings(deadline=None)  # a busy machine is not a failure
@given(
    row=st.dictionaries(SAID, VALUES, max_size=4), ascii_only=st.booleans(), compact=st.booleans(), twice=st.booleans()
)
def test_quick_parsing_means_what_strict_parsing_means(
    row: dict[str, Any], ascii_only: bool, compact: bool, twice: bool
) -> None:
    separators = (",", ":") if compact else (", ", ": ")
    data = json.dumps(row, ensure_ascii=ascii_only, separators=separators).encode("utf-8", "surrogatepass")
    data = b'{"a":1,' + data[1:] if twice else data
    assert parsed(quick.parse, data) == parsed(parsing.parse, data)


@pytest.mark.parametrize("depth", [198, 199, 200, 201])
def test_quick_parsing_stops_at_the_same_depth(depth: int) -> None:
    data = b'{"a":' + b"[" * depth + b"1" + b"]" * depth + b"}"
    assert parsed(quick.parse, data) == parsed(parsing.parse, data)


def test_quick_parsing_finds_a_key_given_twice_behind_escaped_quotes() -> None:
    hidden = b'{"a": "\\u0022\\u0022\\u0022\\u0022", "a" : "\\u0022\\u0022\\u0022\\u0022"}'
    with pytest.raises(RejectedRowError, match="stands twice"):
        quick.parse(hidden)


@pytest.mark.parametrize(
    "data",
    [b'{"a": "say \\"x\\"", "b": [1, {"c": null}]}', b'{"a":1.5,"b":["\\\\"]}', b'{"a": "\\u00e9", "b": true}'],
)
def test_ordinary_rows_do_not_take_the_strict_way(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "parse", lambda line: pytest.fail("parsed strictly"))
    assert quick.parse(data) == json.loads(data)
