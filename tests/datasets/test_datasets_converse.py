"""The rules of rows that are already in Converse form."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_handlers.datasets.forms import converse

LOCATION = {"s3Location": {"uri": "s3://bucket/a-b_c/i.png", "bucketOwner": "111122223333"}}
IMAGE = {"image": {"format": "png", "source": LOCATION}}
VIDEO = {"video": {"format": "mp4", "source": LOCATION}}
DOCUMENT = {"document": {"format": "pdf", "source": LOCATION}}
REASONING = {"reasoningContent": {"reasoningText": {"text": "because"}}}
TOOLS = {
    "tools": [
        {
            "toolSpec": {
                "name": "get_weather",
                "description": "Weather lookup",
                "inputSchema": {"json": {"type": "object"}},
            }
        }
    ]
}


def use(identity: str = "c1", name: str = "get_weather") -> dict[str, Any]:
    return {"toolUse": {"toolUseId": identity, "name": name, "input": {"city": "Rome"}}}


def result(identity: str = "c1", **content: Any) -> dict[str, Any]:
    return {"toolResult": {"toolUseId": identity, "content": [content or {"text": "30C"}]}}


def turns(*contents: Any) -> list[dict[str, Any]]:
    roles = ("user", "assistant")
    return [{"role": roles[index % 2], "content": content} for index, content in enumerate(contents)]


def row(*contents: Any, **more: Any) -> dict[str, Any]:
    contents = contents or ([{"text": "x"}], [{"text": "y"}])
    return {"schemaVersion": converse.SCHEMA_VERSION, "messages": turns(*contents), **more}


CALL = ([{"text": "x"}], [use()], [result()], [{"text": "y"}])

GOOD_ON_BOTH = [
    row(),
    row(system=[{"text": "Be brief."}]),
    row([IMAGE, {"text": "what?"}], [{"text": "y"}]),
    row([IMAGE] * 10, [{"text": "y"}]),
    row([VIDEO, {"text": ""}], [{"text": "y"}]),
]
GOOD_ON_2 = [
    row([DOCUMENT, {"text": "what?"}], [{"text": "y"}]),
    row([{"text": "x"}], [REASONING, {"text": "y"}]),
    row(*CALL, toolConfig=TOOLS),
    row(*CALL),
    row([{"text": "x"}], [use("a"), use("b")], [result("b"), result("a", json={"t": 1})], [{"text": "y"}]),
]

BAD_ON_BOTH = [
    ({**row(), "schemaVersion": "v2"}, "schema_version"),
    ({"messages": row()["messages"]}, "schema_version"),
    (row(extra=1), "unknown_key"),
    (row(system="x"), "wrong_type"),
    (row(system=[{"text": "a"}, {"text": "b"}]), "wrong_type"),
    (row(system=[{"text": "User: x"}]), "reserved_word"),
    ({**row(), "messages": "x"}, "wrong_type"),
    (row([{"text": "x"}]), "too_few_turns"),
    (row([{"text": "x"}], [{"text": "y"}], [{"text": "z"}]), "turn_order"),
    ({**row(), "messages": list(reversed(row()["messages"]))}, "turn_order"),
    ({**row(), "messages": [{**turn, "role": "USER"} for turn in row()["messages"]]}, "turn_order"),
    ({**row(), "messages": [{**turn, "name": "n"} for turn in row()["messages"]]}, "unknown_key"),
    (row("x", [{"text": "y"}]), "wrong_type"),
    (row([], [{"text": "y"}]), "missing_text"),
    (row([{"text": " \n"}], [{"text": "y"}]), "missing_text"),
    (row([{"text": 5}], [{"text": "y"}]), "wrong_type"),
    (row([{"txt": "x"}], [{"text": "y"}]), "content"),
    (row([{"text": "x", "image": {}}], [{"text": "y"}]), "content"),
    (row(["x"], [{"text": "y"}]), "content"),
    (row([{"text": "x"}], [{"text": "Bot: y"}]), "reserved_word"),
    (row([{"text": "x"}], [IMAGE]), "media"),
    (row([IMAGE] * 11, [{"text": "y"}]), "media"),
    (row([VIDEO, VIDEO], [{"text": "y"}]), "media"),
    (row([IMAGE, VIDEO], [{"text": "y"}]), "media"),
    (row([{"image": {"format": "jpg", "source": LOCATION}}], [{"text": "y"}]), "media"),
    (row([{"video": {"format": "avi", "source": LOCATION}}], [{"text": "y"}]), "media"),
    (row([{"image": {"format": "png"}}], [{"text": "y"}]), "content"),
    (row([{"image": {"format": "png", "source": {"bytes": "x"}}}], [{"text": "y"}]), "content"),
    (
        row(
            [{"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/a b", "bucketOwner": "1"}}}}],
            [{"text": "y"}],
        ),
        "media",
    ),
    (row([{"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/a"}}}}], [{"text": "y"}]), "media"),
]

BAD_ON_2 = [
    (row([{"text": "x"}, REASONING], [{"text": "y"}]), "reasoning"),
    (row([{"text": "x"}], [{"reasoningContent": {"text": "z"}}, {"text": "y"}]), "content"),
    (row([{"text": "x"}], [{"reasoningContent": {"reasoningText": {"text": ""}}}, {"text": "y"}]), "missing_text"),
    (row([{"text": "x"}, use()], [{"text": "y"}]), "tool"),
    (row([{"text": "x"}], [result(), {"text": "y"}]), "tool"),
    (row([{"text": "x"}], [use(" "), {"text": "y"}]), "tool"),
    (row([{"text": "x"}], [use(), use()], [result()], [{"text": "y"}]), "tool"),
    (row([{"text": "x"}], [use()], [result(), result()], [{"text": "y"}]), "tool"),
    (row([{"text": "x"}], [use()], [result("other")], [{"text": "y"}]), "tool"),
    (row([{"text": "x"}], [use(name="unknown"), {"text": "y"}], toolConfig=TOOLS), "tool"),
    (row([{"text": "x"}], [{"toolUse": {"toolUseId": "c", "name": "n", "input": "{}"}}]), "tool"),
    (row([{"text": "x"}], [{"toolUse": {"toolUseId": "c", "name": "n"}}]), "content"),
    (row([{"text": "x"}], [use()], [result(text="x", json={})], [{"text": "y"}]), "tool"),
    (row([{"text": "x"}], [use()], [result(text="User: x")], [{"text": "y"}]), "reserved_word"),
    (row(toolConfig={"tools": []}), "tool"),
    (row(toolConfig={"tools": TOOLS["tools"] * 2}), "tool"),
    (row(toolConfig={"tools": [{"toolSpec": {"name": "n", "inputSchema": {"json": {"type": "object"}}}}]}), "tool"),
    (row(toolConfig={"tools": [{"toolSpec": {"name": "n", "description": "d", "inputSchema": {"json": {}}}}]}), "tool"),
    (row([{"image": {"format": "webp", "source": LOCATION}}], [{"text": "y"}]), "media"),
]


@pytest.mark.parametrize("good", GOOD_ON_BOTH)
def test_a_good_row_is_good_on_both_versions(good: dict[str, Any]) -> None:
    assert converse.faults(good, 1) == []
    assert converse.faults(good, 2) == []


@pytest.mark.parametrize("good", GOOD_ON_2)
def test_documents_reasoning_and_tools_are_for_nova_2_only(good: dict[str, Any]) -> None:
    assert converse.faults(good, 2) == []
    assert converse.faults(good, 1) != []


@pytest.mark.parametrize(("bad", "code"), BAD_ON_BOTH)
def test_a_bad_row_is_bad_on_both_versions(bad: dict[str, Any], code: str) -> None:
    assert code in {fault.code for fault in converse.faults(bad, 1)}
    assert {fault.code for fault in converse.faults(bad, 2)} == {code}


@pytest.mark.parametrize(("bad", "code"), BAD_ON_2)
def test_a_bad_row_on_nova_2_has_the_one_code(bad: dict[str, Any], code: str) -> None:
    assert {fault.code for fault in converse.faults(bad, 2)} == {code}


def test_webp_and_webm_are_for_nova_1() -> None:
    media = [{"image": {"format": "webp", "source": LOCATION}}]
    assert converse.faults(row(media, [{"text": "y"}]), 1) == []


def test_the_message_names_the_place() -> None:
    [fault] = converse.faults(row([{"text": "x"}], [{"text": "User: y"}]), 2)
    assert fault.message == 'messages[1].content[0].text contains "User:", which makes training fail'
