"""The rules of tool definitions, uses and results in a Converse row."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_handlers.datasets.faults import CODES
from tests.datasets.converse_support import ANSWER, CALL, QUESTION, TOOLS, codes, message, result, row, spec, use


@pytest.mark.parametrize(
    "good",
    [
        row(*CALL),
        row(*CALL, toolConfig=TOOLS),
        row(toolConfig=TOOLS),
        row(QUESTION, [use("a"), use("b")], [result("b"), result("a", json={"t": 1})], ANSWER),
        row(QUESTION, [use("a")], [result("a")], [use("b")], [result("b"), *QUESTION], ANSWER),
        row(QUESTION, [*ANSWER, use()]),
        row(*CALL[:2], [{"toolResult": {**result()["toolResult"], "status": "success"}}], ANSWER),
        row(*CALL[:2], [result(text="")], ANSWER),
    ],
)
def test_a_good_use_of_tools_is_good(good: dict[str, Any]) -> None:
    assert codes(good) == []


def _block(kind: str, **changes: Any) -> dict[str, Any]:
    block = (use() if kind == "toolUse" else result())[kind]
    return {kind: {key: value for key, value in {**block, **changes}.items() if value is not ...}}


BAD = [
    (row([*QUESTION, use()], [result(), *ANSWER]), ["tool_role", "tool_role"]),
    (row(QUESTION, [_block("toolUse", toolUseId=" ")]), ["tool_id"]),
    (row(QUESTION, [_block("toolUse", toolUseId=7)]), ["tool_id"]),
    (row(QUESTION, [_block("toolUse", name="")]), ["tool_name"]),
    (row(QUESTION, [_block("toolUse", input="{}")]), ["tool_input"]),
    (row(QUESTION, [_block("toolUse", input=[1])]), ["tool_input"]),
    (row(QUESTION, [_block("toolUse", input=...)]), ["content"]),
    (row(QUESTION, [_block("toolUse", more=1)]), ["content"]),
    (row(*CALL[:2], [_block("toolResult", content=...)], ANSWER), ["content", "tool_unmatched"][:1]),
    (row(*CALL[:2], [_block("toolResult", content=[])], ANSWER), ["tool_result"]),
    (row(*CALL[:2], [_block("toolResult", content="30C")], ANSWER), ["tool_result"]),
    (row(*CALL[:2], [result(text="x", json={})], ANSWER), ["tool_result"]),
    (row(*CALL[:2], [result(json=[1])], ANSWER), ["tool_result"]),
    (row(*CALL[:2], [result(image={})], ANSWER), ["tool_result"]),
    (row(*CALL[:2], [result(text=30)], ANSWER), ["wrong_type"]),
    (row(*CALL[:2], [_block("toolResult", toolUseId="")], ANSWER), ["tool_id", "tool_unanswered"]),
    (row(toolConfig={"tools": []}), ["tool_config"]),
    (row(toolConfig=None), ["tool_config"]),
    (row(toolConfig={"tools": "x"}), ["tool_config"]),
    (row(toolConfig={**TOOLS, "toolChoice": {"auto": {}}}), ["tool_config"]),
    (row(toolConfig={"tools": TOOLS["tools"] * 2}), ["tool_twice"]),
    (row(toolConfig={"tools": ["x"]}), ["tool_spec"]),
    (row(toolConfig={"tools": [spec(name="")]}), ["tool_spec"]),
    (row(toolConfig={"tools": [spec(description=None)]}), ["tool_spec"]),
    (row(toolConfig={"tools": [spec(description=" ")]}), ["tool_spec"]),
    (row(toolConfig={"tools": [spec(inputSchema=None)]}), ["tool_spec"]),
    (row(toolConfig={"tools": [spec(inputSchema={"json": {}})]}), ["tool_spec"]),
    (row(toolConfig={"tools": [spec(inputSchema={"json": "x"})]}), ["tool_spec"]),
    (row(toolConfig={"tools": [spec(more=1)]}), ["tool_spec"]),
    (row(QUESTION, [use(name="unknown")], toolConfig=TOOLS), ["tool_undefined"]),
]


@pytest.mark.parametrize(("bad", "expected"), BAD)
def test_a_bad_use_of_tools_is_named(bad: dict[str, Any], expected: list[str]) -> None:
    assert codes(bad) == expected
    assert set(expected) <= set(CODES)


LINKED = [
    ((QUESTION, [use(), use()], [result()], ANSWER), ["tool_id_twice"]),
    ((QUESTION, [use("a")], [result("a")], [use("a")], [result("a")], ANSWER), ["tool_id_twice"]),
    ((QUESTION, [use()], [result(), result()], ANSWER), ["tool_unmatched"]),
    ((QUESTION, [use()], [result()], ANSWER, [result()], ANSWER), ["tool_unmatched"]),
    ((QUESTION, [use()], [result("other")], ANSWER), ["tool_unmatched", "tool_unanswered"]),
    (([result()], ANSWER), ["tool_unmatched"]),
    ((QUESTION, [use("a"), use("b")], [result("b")], ANSWER), ["tool_unanswered"]),
]


@pytest.mark.parametrize(("turns", "expected"), LINKED)
@pytest.mark.parametrize("config", [{}, {"toolConfig": TOOLS}])
def test_uses_and_results_belong_together_with_or_without_definitions(
    turns: tuple[Any, ...], expected: list[str], config: dict[str, Any]
) -> None:
    assert codes(row(*turns, **config)) == expected


def test_tools_are_for_nova_2_only_with_or_without_definitions() -> None:
    assert codes(row(*CALL), 1) == ["tool_version", "tool_version"]
    assert codes(row(*CALL, toolConfig=TOOLS), 1) == ["tool_version"] * 3


def test_the_message_names_the_tool_and_the_place() -> None:
    assert message(row(QUESTION, [use(name="f")], toolConfig=TOOLS)) == (
        'messages[1].content[0].toolUse: the tool "f" is not defined in toolConfig'
    )
    assert message(row(QUESTION, [use("a"), use("b")], [result("b")], ANSWER)) == (
        'messages[1].content[0].toolUse: no tool result has the id "a"'
    )
