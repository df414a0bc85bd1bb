"""The rules of a Converse row: its keys, turns, texts and reasoning, on both Nova versions."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_handlers.datasets.faults import CODES
from lambda_handlers.datasets.forms import converse
from tests.datasets.converse_support import (
    ANSWER,
    CALL,
    DOCUMENT,
    IMAGE,
    QUESTION,
    REASONING,
    TOOLS,
    VIDEO,
    codes,
    message,
    row,
    use,
)

GOOD_ON_BOTH = [
    row(),
    row(QUESTION, ANSWER, QUESTION, ANSWER),
    row(system=[{"text": "Be brief."}]),
    row(system=[{"text": ""}]),
    row([{"text": "x"}, {"text": ""}], ANSWER),
    row([IMAGE, {"text": "what?"}], ANSWER),
    row([VIDEO, {"text": ""}], ANSWER),
    row([{"text": "superuser: the robot: subsystem: <images> [EOSX] a user says"}], ANSWER),
]


@pytest.mark.parametrize("good", GOOD_ON_BOTH)
@pytest.mark.parametrize("nova", [1, 2])
def test_a_good_row_is_good_on_both_versions(good: dict[str, Any], nova: int) -> None:
    assert codes(good, nova) == []


@pytest.mark.parametrize(
    ("good", "code"),
    [
        (row([DOCUMENT, {"text": "what?"}], ANSWER), "document_format"),
        (row(QUESTION, [REASONING, *ANSWER]), "reasoning_version"),
        (row(*CALL), "tool_version"),
        (row(toolConfig=TOOLS), "tool_version"),
    ],
)
def test_documents_reasoning_and_tools_are_for_nova_2_only(good: dict[str, Any], code: str) -> None:
    assert codes(good, 2) == []
    assert set(codes(good, 1)) == {code}


BAD = [
    ({**row(), "schemaVersion": "v2"}, "schema_version"),
    ({"messages": row()["messages"]}, "schema_version"),
    (row(extra=1), "unknown_key"),
    (
        {**row(), "messages": [{**turn, "name": "n"} for turn in row()["messages"][:1]] + row()["messages"][1:]},
        "unknown_key",
    ),
    (row(system="x"), "wrong_type"),
    (row(system=[]), "wrong_type"),
    (row(system=[{"text": "a"}, {"text": "b"}]), "wrong_type"),
    (row(system=[{"txt": "a"}]), "content"),
    (row(system=[{"text": 1}]), "wrong_type"),
    ({**row(), "messages": "x"}, "wrong_type"),
    ({**row(), "messages": ["x", "y"]}, "wrong_type"),
    ({"schemaVersion": converse.SCHEMA_VERSION}, "wrong_type"),
    ({**row(), "messages": []}, "too_few_turns"),
    (row(QUESTION), "too_few_turns"),
    (row(QUESTION, ANSWER, QUESTION), "turn_order"),
    ({**row(), "messages": list(reversed(row()["messages"]))}, "turn_order"),
    ({**row(), "messages": [row()["messages"][0]] * 2}, "turn_order"),
    ({**row(), "messages": [{**turn, "role": turn["role"].upper()} for turn in row()["messages"]]}, "turn_order"),
    ({**row(), "messages": [{"content": QUESTION}, row()["messages"][1]]}, "turn_order"),
    (row("x", ANSWER), "wrong_type"),
    (row(None, ANSWER), "wrong_type"),
    (row([], ANSWER), "missing_text"),
    (row([{"text": ""}], ANSWER), "missing_text"),
    (row([{"text": " \n"}, {"text": "\u3000"}], ANSWER), "missing_text"),
    (row([{"text": 5}], ANSWER), "wrong_type"),
    (row([{"text": None}], ANSWER), "wrong_type"),
    (row([{"txt": "x"}], ANSWER), "content"),
    (row([{}], ANSWER), "content"),
    (row([{"text": "x", "image": {}}], ANSWER), "content"),
    (row(["x"], ANSWER), "content"),
    (row([{"text": "a\0b"}], ANSWER), "nul_character"),
]


@pytest.mark.parametrize(("bad", "code"), BAD)
@pytest.mark.parametrize("nova", [1, 2])
def test_a_bad_row_has_one_code_on_both_versions(bad: dict[str, Any], code: str, nova: int) -> None:
    assert codes(bad, nova) == [code]
    assert code in CODES


WORDS = ["User:", "BOT:", "assistant:", "System:", "<image>", "<Video>", "[eos]"]


@pytest.mark.parametrize("word", WORDS)
def test_reserved_words_are_refused_in_every_text_of_the_conversation(word: str) -> None:
    said = [{"text": f"see {word} there"}]
    reasoning = {"reasoningContent": {"reasoningText": said[0]}}
    answered = [{"toolResult": {"toolUseId": "c1", "content": said}}]
    for bad in (
        row(said, ANSWER),
        row(QUESTION, said),
        row(system=said),
        row(QUESTION, [reasoning, *ANSWER]),
        row(QUESTION, [use()], answered, ANSWER),
    ):
        assert codes(bad) == ["reserved_word"]


def test_reserved_words_may_stand_in_tool_inputs_and_definitions() -> None:
    call = {"toolUse": {"toolUseId": "c1", "name": "get_weather", "input": {"q": "User: <image>"}}}
    described = {"tools": [{"toolSpec": {**TOOLS["tools"][0]["toolSpec"], "description": "Bot: a tool"}}]}
    assert codes(row(QUESTION, [call], toolConfig=described)) == []


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (row([REASONING, *QUESTION], ANSWER), "reasoning_role"),
        (row(QUESTION, [{"reasoningContent": {"text": "z"}}, *ANSWER]), "content"),
        (row(QUESTION, [{"reasoningContent": {"reasoningText": {}}}, *ANSWER]), "content"),
        (row(QUESTION, [{"reasoningContent": {"reasoningText": {"text": " "}}}, *ANSWER]), "missing_text"),
        (row(QUESTION, [{"reasoningContent": {"reasoningText": {"text": None}}}, *ANSWER]), "missing_text"),
        (row(QUESTION, [REASONING]), "missing_text"),
        (row(QUESTION, [REASONING, {"text": " "}]), "missing_text"),
    ],
)
def test_reasoning_belongs_to_the_assistant_and_comes_with_an_answer(bad: dict[str, Any], code: str) -> None:
    assert codes(bad) == [code]


def test_every_fault_of_a_row_is_found_and_names_its_place() -> None:
    bad = row([{"text": "x"}, {"text": "User: y"}], [{"text": 1}], QUESTION, system=[{"text": "Bot: z"}], more=1)
    assert [fault.message for fault in converse.faults(bad, 2)] == [
        'the key "more" is not part of a Converse row',
        'system[0].text contains "Bot:", which makes training fail',
        'messages[2].role is "user"; the last turn is the assistant\'s',
        'messages[0].content[1].text contains "User:", which makes training fail',
        "messages[1].content[0].text is a number, not a text",
    ]


def test_the_message_tells_what_was_received() -> None:
    assert message({**row(), "schemaVersion": "v2"}) == "schemaVersion is 'v2', not \"bedrock-conversation-2024\""
    assert message(row("x", ANSWER)) == "messages[0].content is a text, not an array"


def test_features_tell_the_parts_of_a_row() -> None:
    names = {name: 2 << index for index, name in enumerate(converse.FEATURES)}
    assert converse.features(row()) == 0
    assert converse.features(row([IMAGE, *QUESTION], ANSWER, system=QUESTION)) == names["system"] | names["image"]
    assert converse.features(row(*CALL)) == names["toolUse"] | names["toolResult"]
    assert converse.features(row([VIDEO], [REASONING, *ANSWER])) == names["video"] | names["reasoningContent"]


def test_the_users_text_is_that_of_all_its_turns() -> None:
    assert (
        converse.user_text(row([IMAGE, {"text": "a"}, {"text": "b"}], ANSWER, [{"text": "c"}], ANSWER)["messages"])
        == "a\nb\nc"
    )
