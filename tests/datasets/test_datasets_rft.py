"""Rows for reinforcement fine-tuning: from columns, from conversations, and as they come."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_handlers.datasets.faults import RejectedRowError
from lambda_handlers.datasets.forms import parsing, rft
from lambda_handlers.datasets.forms.rft import RFT
from lambda_handlers.protocol.errors import InvalidRequest
from tests.datasets.forms_support import codes, line, made, refusal, transform

USER = {"role": "user", "content": "2+2?"}
TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds.",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    },
}
CONVERSE = {
    "schemaVersion": "bedrock-conversation-2024",
    "system": [{"text": "Be brief."}],
    "messages": [
        {"role": "user", "content": [{"text": "2+2?"}, {"text": "Now."}]},
        {"role": "assistant", "content": [{"text": "4"}]},
    ],
}


def tool(**function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {**TOOL["function"], **function}}  # type: ignore[dict-item]


def row(**more: Any) -> dict[str, Any]:
    return {"messages": [USER], "reference_answer": "4", **more}


def test_mapped_columns_become_a_prompt_and_standard_names_do_not_leak() -> None:
    columns = {"question": "p", "reference_answer": "g", "id": "i", "difficulty": "lv"}
    flat = {"p": "2+2?", "g": {"answer": 4}, "i": "r1", "lv": "easy", "more": 1}
    assert made(RFT, flat, columns=columns) == {
        "id": "r1",
        "messages": [USER],
        "reference_answer": {"answer": 4},
        "difficulty": "easy",
    }


def test_columns_of_the_standard_names_need_no_mapping() -> None:
    flat = {"question": "2+2?", "reference_answer": "4", "system": "S", "id": "a", "tools": [TOOL], "other": 1}
    assert made(RFT, flat) == {
        "id": "a",
        "messages": [{"role": "system", "content": "S"}, USER],
        "reference_answer": "4",
        "tools": [TOOL],
    }


def test_rows_counted_by_a_column_get_its_numbers_as_texts() -> None:
    assert made(RFT, {"question": "2+2?", "reference_answer": "4", "id": 0}) == row(id="0")


def test_optional_columns_that_say_nothing_are_left_out() -> None:
    flat = {"question": "2+2?", "reference_answer": "4", "system": " ", "id": None, "tools": []}
    assert made(RFT, flat) == row()


def test_passed_columns_keep_their_values_of_any_kind() -> None:
    flat = {"question": "2+2?", "reference_answer": "4", "x": [1, {"y": None}], "z": None}
    assert made(RFT, flat, columns={"level": "x", "note": "z", "gone": "g"}) == row(level=[1, {"y": None}], note=None)


def test_a_system_prompt_goes_to_rows_that_are_made_and_bring_none() -> None:
    prompt = {"role": "system", "content": "P"}
    flat = {"question": "2+2?", "reference_answer": "4"}
    assert made(RFT, flat, system_prompt="P")["messages"] == [prompt, USER]
    assert made(RFT, {**flat, "system": "S"}, system_prompt="P")["messages"][0]["content"] == "S"
    chat = {"messages": [USER, {"role": "assistant", "content": "4"}]}
    assert made(RFT, chat, system_prompt="P")["messages"] == [prompt, USER]
    assert made(RFT, CONVERSE, system_prompt="P")["messages"][0]["content"] == "Be brief."
    assert made(RFT, row(), system_prompt="P") == row()


def test_the_assistants_answer_at_the_end_becomes_the_reference_answer() -> None:
    chat = {"id": "a", "messages": [USER, {"role": "assistant", "content": "4", "refusal": None}], "level": 2}
    assert made(RFT, chat) == {"id": "a", "messages": [USER], "level": 2, "reference_answer": "4"}
    assert made(RFT, CONVERSE) == {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?\nNow."}],
        "reference_answer": "4",
    }


@pytest.mark.parametrize(
    "extra", [{"weight": 1}, {"weight": 1.0}, {"name": ""}, {"refusal": " "}, {"annotations": []}, {"audio": None}]
)
def test_what_says_nothing_does_not_keep_the_answer_in_the_prompt(extra: dict[str, Any]) -> None:
    chat = {"messages": [{**USER, **extra}, {"role": "assistant", "content": "4", **extra}]}
    assert made(RFT, chat) == row()


@pytest.mark.parametrize("extra", [{"weight": 0}, {"name": "Bo"}, {"x": False}, {"tool_calls": {}}])
def test_an_answer_that_says_more_is_refused(extra: dict[str, Any]) -> None:
    [key] = extra
    answer = {"role": "assistant", "content": "4", **extra}
    [(code, message)] = refusal(RFT, {"messages": [USER, answer]})
    assert (code, f"messages[1].{key} cannot be kept in the reference answer" in message) == ("unknown_key", True)
    assert made(RFT, row(messages=[USER, answer])) == row(messages=[USER, answer])


def test_a_system_prompt_beside_an_answered_conversation_becomes_its_message() -> None:
    answer = {"role": "assistant", "content": "4"}
    chat = {"messages": [USER, answer], "sy": "S"}
    asked = [{"role": "system", "content": "S"}, USER]
    assert made(RFT, chat, columns={"system": "sy"}, system_prompt="P") == {"messages": asked, "reference_answer": "4"}
    both = {"messages": [{"role": "system", "content": "T"}, USER, answer], "system": "S"}
    assert made(RFT, both)["messages"][0]["content"] == "S\n\nT"


def test_a_row_that_has_a_reference_answer_keeps_it_and_its_messages() -> None:
    chat = row(messages=[USER, {"role": "assistant", "content": "4"}], reference_answer={"n": 4.5})
    assert made(RFT, chat) == chat
    assert made(RFT, {**CONVERSE, "reference_answer": "four"})["reference_answer"] == "four"


def test_earlier_answers_stay_in_the_prompt() -> None:
    turns = [USER, {"role": "assistant", "content": "4"}, {"role": "user", "content": "+1?"}]
    assert made(RFT, {"messages": turns}) == {"messages": turns}


def test_chat_rows_are_brought_to_the_roles_and_texts_of_the_form() -> None:
    chat = row(
        messages=[
            {"role": "developer", "content": "A"},
            {"role": "System", "content": [{"type": "text", "text": "B"}]},
            {"role": "USER", "content": [{"type": "text", "text": "2+2?"}, {"type": "text", "text": "Now."}]},
        ],
        id=None,
        tools=[],
    )
    assert made(RFT, chat)["messages"] == [
        {"role": "system", "content": "A\n\nB"},
        {"role": "user", "content": "2+2?\nNow."},
    ]
    assert made(RFT, chat).keys() == {"messages", "reference_answer"}


def test_rows_of_the_form_keep_every_other_key() -> None:
    given = row(question="leaked", system="leaked", n=[1], messages=[{**USER, "name": "Ann"}])
    assert made(RFT, given) == given


def test_features_and_prompt_tell_about_the_row() -> None:
    mine = transform(RFT)
    mine(line({"question": "2+2?", "reference_answer": "4", "system": "S"}))
    assert (mine.features, mine.prompt()) == (0b101, "2+2?")
    mine(line(row(id="a", tools=[TOOL], messages=[USER, {"role": "assistant", "content": "?"}, USER])))
    assert (mine.features, mine.prompt()) == (0b1110, "2+2?\n2+2?")
    mine(line({"messages": [USER]}))
    assert mine.features == 0


SYSTEM = {"role": "system", "content": "S"}
CALL = {"id": "c", "type": "function", "function": {"name": "add", "arguments": "{}"}}
RULES: list[tuple[dict[str, Any], str, str]] = [
    (row(messages=[]), "wrong_type", "messages is an array, not an array with at least one message"),
    (row(messages="x"), "wrong_type", "messages is a text, not an array"),
    (row(messages=[USER, 5]), "wrong_type", "messages[1] is a number, not an object"),
    (row(messages=[SYSTEM]), "no_question", "messages: no message has the role user"),
    (row(messages=[USER, SYSTEM]), "system_position", "messages[1]: the system message is not the first"),
    (row(messages=[USER, {"content": "x"}]), "chat_role", "messages[1].role is None"),
    (row(messages=[USER, {"role": "bot", "content": "x"}]), "chat_role", "messages[1].role is 'bot'"),
    (row(messages=[USER, {"role": "tool", "content": "x"}]), "chat_tools", "messages[1] uses a tool"),
    (row(messages=[USER, {"role": "assistant", "tool_calls": [CALL]}]), "chat_tools", "messages[1] uses a tool"),
    (row(messages=[{"role": "user"}]), "missing_text", "messages[0].content is null"),
    (row(messages=[{"role": "user", "content": " \u3000"}]), "missing_text", "messages[0].content is empty"),
    (row(messages=[{"role": "user", "content": 5}]), "wrong_type", "messages[0].content is a number, not a text"),
    (row(messages=[{"role": "user", "content": "a\0"}]), "nul_character", "messages[0].content contains a NUL"),
    (
        row(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "s3://b/i.png"}}]}]),
        "text_only",
        "messages[0].content has parts that are not text",
    ),
    (
        row(messages=[USER, {"role": "assistant", "content": "x", "reasoning": "r"}]),
        "text_only",
        "messages[1].reasoning has no place",
    ),
    (row(id=""), "missing_text", "id is empty"),
    (row(id=7), "wrong_type", "id is a number, not a text"),
    (row(reference_answer=" "), "missing_text", "reference_answer is empty"),
    (row(reference_answer={}), "reference_answer", "reference_answer is an object with nothing in it"),
    (row(reference_answer=4), "reference_answer", "reference_answer is a number, not a text or an object"),
    (row(reference_answer=["4"]), "reference_answer", "reference_answer is an array"),
    (row(tools={}), "wrong_type", "tools is an object, not an array with at least one tool"),
    (row(tools=[{"function": TOOL["function"]}]), "tool_spec", "tools[0] is not of the form"),
    (row(tools=[{"type": "function"}]), "tool_spec", "tools[0] is not of the form"),
    (row(tools=[TOOL, TOOL]), "tool_twice", 'tools[1].function.name: the tool "add" is defined twice'),
    (row(tools=[tool(name=" ")]), "tool_name", "tools[0].function.name is missing"),
    (row(tools=[tool(description="")]), "tool_spec", "tools[0].function.description is missing"),
    (row(tools=[tool(parameters=None)]), "tool_spec", 'parameters is not a JSON Schema of the type "object"'),
    (row(tools=[tool(parameters={"type": "array"})]), "tool_spec", "tools[0].function.parameters is not"),
    (row(tools=[tool(parameters={"type": "object"})]), "tool_spec", "parameters.properties is null, not an object"),
    (
        row(tools=[tool(parameters={"type": "object", "properties": {}, "required": "a"})]),
        "tool_spec",
        "parameters.required is a text, not an array",
    ),
    ({"question": "q"}, "missing_column", 'the column "reference_answer" is absent'),
    ({"question": None, "reference_answer": "4"}, "missing_text", 'the column "question" is null'),
    ({"question": "q", "reference_answer": 4}, "reference_answer", 'the column "reference_answer" is a number'),
    ({"question": "q", "reference_answer": "4", "id": 7.5}, "wrong_type", 'the column "id" is a number'),
    ({"question": "q", "reference_answer": "4", "id": True}, "wrong_type", 'the column "id" is a boolean'),
    ({"question": "q", "reference_answer": "4", "tools": [5]}, "tool_spec", 'the column "tools"[0] is not'),
]


@pytest.mark.parametrize(("given_row", "code", "sentence"), RULES)
def test_each_rule_has_its_code_and_names_the_place(given_row: dict[str, Any], code: str, sentence: str) -> None:
    [(found, message)] = refusal(RFT, given_row)
    assert (found, sentence in message) == (code, True), message


@pytest.mark.parametrize("reasoning", ["", " ", None, []])
def test_reasoning_that_says_nothing_is_no_fault(reasoning: object) -> None:
    answer = {"role": "assistant", "content": "4", "reasoning": reasoning}
    assert made(RFT, {"messages": [USER, answer]}) == row()
    assert made(RFT, row(messages=[USER, answer]))["messages"][1] == {"role": "assistant", "content": "4"}
    assert rft.faults(row(messages=[USER, answer])) == []


def test_every_fault_of_a_row_is_reported() -> None:
    given_row = {"messages": [SYSTEM, {"role": "user", "content": ""}], "id": " ", "reference_answer": {}}
    assert codes(RFT, given_row) == {"missing_text", "reference_answer"}
    assert len(refusal(RFT, given_row)) == 3


def test_tools_without_parameters_that_are_required_are_fine() -> None:
    given_row = row(tools=[tool(parameters={"type": "object", "properties": {}})])
    assert made(RFT, given_row) == given_row


def test_reserved_words_are_no_fault_where_nothing_says_that_they_harm() -> None:
    assert made(RFT, {"question": "User: hi", "reference_answer": "4"})["messages"][0]["content"] == "User: hi"


@pytest.mark.parametrize(
    ("given_row", "code"),
    [
        ({"question": "q", "reference_answer": "4"}, "wrong_type"),
        (row(messages=[{"role": "developer", "content": "x"}, USER]), "chat_role"),
        (CONVERSE, "text_only"),
        (row(tools=[]), "wrong_type"),
        (row(id=None), "missing_text"),
        (row(messages=[{**USER, "role": "USER"}]), "chat_role"),
    ],
)
def test_as_is_takes_rows_of_the_form_only(given_row: dict[str, Any], code: str) -> None:
    assert code in codes(RFT, given_row, as_is=True)
    assert made(RFT, row(), as_is=True) == row()


def test_a_converse_row_that_is_not_good_is_not_read() -> None:
    assert codes(RFT, {**CONVERSE, "schemaVersion": "1"}) == {"schema_version"}


def test_rows_that_lack_columns_are_counted_and_conversations_are_not() -> None:
    mine = transform(RFT, columns={"reference_answer": "gold"})
    for given_row in ({"question": "q", "answer": "4"}, {"question": "q", "gold": ""}, {"messages": []}):
        with pytest.raises(RejectedRowError):
            mine(line(given_row))
    mine(line({"question": "q", "gold": "4"}))
    assert (mine.columns_seen.rejected, dict(mine.columns_seen.absent)) == (2, {"gold": 1})
    assert mine.columns_seen.names == {"question", "answer"}


def test_texts_of_csv_are_read_as_what_they_must_be() -> None:
    values = {
        "question": "2+2?",
        "reference_answer": '{"answer": 4}',
        "tools": json.dumps([TOOL]),
        "id": "",
        "lv": "3",
    }
    made_row = json.loads(transform(RFT, columns={"level": "lv"}).from_columns(values))
    assert made_row == {"messages": [USER], "reference_answer": {"answer": 4}, "tools": [TOOL], "level": "3"}


@pytest.mark.parametrize("text", ["42", "{1, 2}", '{"a": 1, "a": 2}', "[4]"])
def test_an_answer_of_csv_that_is_no_json_object_stays_a_text(text: str) -> None:
    made_row = json.loads(transform(RFT).from_columns({"question": "q", "reference_answer": text}))
    assert made_row["reference_answer"] == text


@pytest.mark.parametrize(("depth", "is_good"), [(parsing.MAX_DEPTH - 2, True), (parsing.MAX_DEPTH - 1, False)])
def test_an_answer_of_csv_may_not_be_deeper_than_a_row_can_be_read_again(depth: int, is_good: bool) -> None:
    values = {"question": "q", "reference_answer": '{"a": ' + "[" * depth + "]" * depth + "}"}
    if is_good:
        once = transform(RFT).from_columns(values)
        assert transform(RFT)(once) == once
    else:
        with pytest.raises(RejectedRowError, match="nested more than 200 levels deep"):
            transform(RFT).from_columns(values)


@pytest.mark.parametrize("name", ["messages", "schemaVersion", "toolConfig"])
def test_names_that_would_make_another_form_of_a_row_cannot_be_mapped(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"'{name}' tells of which form a row is"):
        transform(RFT, columns={name: "x"})


def test_tools_of_csv_that_are_no_json_are_refused() -> None:
    with pytest.raises(RejectedRowError, match='the column "tools" is a text, not an array'):
        transform(RFT).from_columns({"question": "q", "reference_answer": "4", "tools": "add"})


TEXTS = st.sampled_from(["x", "", " ", "User: x", "a\0b", "é", '"'])
ANY = st.none() | st.integers() | TEXTS | st.just([]) | st.just({}) | st.just({"a": 1}) | st.just([TOOL])
CONTENTS = TEXTS | st.none() | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS}), max_size=2)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["user", "assistant", "USER", "system", "developer", "tool"]),
            "content": st.just("x") | st.just("y") | CONTENTS,
        },
        optional={"name": st.just("n"), "weight": st.sampled_from([0, 1, ""]), "tool_calls": st.none() | st.just([])},
    ),
    max_size=4,
)
SAID = st.sampled_from(["x", "é", "User: x", " ", {"a": 1.5}])
KEYS = dict.fromkeys(("system", "id", "tools", "x"), ANY) | dict.fromkeys(("question", "reference_answer"), SAID)


@settings(deadline=None)  # a busy machine is not a failure
@given(row=st.fixed_dictionaries({}, optional={**KEYS, "messages": MESSAGES}), prompt=st.sampled_from([None, "P"]))
def test_what_is_made_is_good_and_stays_as_it_is(row: dict[str, Any], prompt: str | None) -> None:
    settings: dict[str, Any] = {"columns": {"level": "x"}, "system_prompt": prompt}
    try:
        once = transform(RFT, **settings)(line(row))
    except RejectedRowError:
        return
    assert rft.faults(json.loads(once)) == []
    assert transform(RFT, **settings)(once) == once
    assert transform(RFT, as_is=True)(once) == once
