"""OpenAI chat rows become Converse rows that say the same, or are refused."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_handlers.datasets.faults import RejectedRowError
from lambda_handlers.datasets.forms import converse, openai_chat
from lambda_handlers.datasets.forms.form import RowSettings
from lambda_handlers.datasets.forms.sft import CONVERSE
from tests.datasets.converse_support import ANSWER, CALL, IMAGE, QUESTION, REASONING, TOOLS, row, turns
from tests.datasets.forms_support import codes, line, made, refusal, transform

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather lookup",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def call(identity: Any, arguments: Any = '{"city":"Rome"}', name: str = "get_weather") -> dict[str, Any]:
    given_id = {} if identity is None else {"id": identity}
    return {**given_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


def assistant(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def tool(content: Any, identity: Any = None) -> dict[str, Any]:
    return {"role": "tool", "content": content, **({} if identity is None else {"tool_call_id": identity})}


def system(content: Any, role: str = "system") -> dict[str, Any]:
    return {"role": role, "content": content}


def chat(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"messages": [*messages], **more}


PLAIN = (user("x"), assistant("y"))
PARALLEL = chat(
    user("Weather in Rome and Oslo?"),
    assistant(None, reasoning="need tool", tool_calls=[call("c1"), call("c2", '{"city":"Oslo"}')]),
    tool("30C", "c1"),
    tool("10C", "c2"),
    assistant("Rome 30C, Oslo 10C"),
    tools=[WEATHER],
)


def test_tools_parallel_calls_and_reasoning_become_a_converse_row() -> None:
    def used(identity: str, city: str) -> dict[str, Any]:
        return {"toolUse": {"toolUseId": identity, "name": "get_weather", "input": {"city": city}}}

    def answered(identity: str, text: str) -> dict[str, Any]:
        return {"toolResult": {"toolUseId": identity, "content": [{"text": text}]}}

    specification = {
        "name": "get_weather",
        "description": "Weather lookup",
        "inputSchema": {"json": WEATHER["function"]["parameters"]},
    }
    assert made(CONVERSE, PARALLEL) == {
        "schemaVersion": "bedrock-conversation-2024",
        "messages": turns(
            [{"text": "Weather in Rome and Oslo?"}],
            [
                {"reasoningContent": {"reasoningText": {"text": "need tool"}}},
                used("c1", "Rome"),
                used("c2", "Oslo"),
            ],
            [answered("c1", "30C"), answered("c2", "10C")],
            [{"text": "Rome 30C, Oslo 10C"}],
        ),
        "toolConfig": {"tools": [{"toolSpec": specification}]},
    }


def test_tools_and_reasoning_are_refused_on_nova_1_not_dropped() -> None:
    assert codes(CONVERSE, PARALLEL, nova=1) == {"tool_version", "reasoning_version"}
    assert codes(CONVERSE, chat(user("x"), assistant("y", reasoning="r")), nova=1) == {"reasoning_version"}
    assert made(CONVERSE, chat(*PLAIN), nova=1) == row()
    assert made(CONVERSE, chat(user("x"), assistant("y", reasoning=" ")), nova=1) == row()


def test_an_assistant_says_reasoning_then_text_then_tool_uses() -> None:
    asked = chat(user("x"), assistant("Let me see.", reasoning="because", tool_calls=[call("c1")]))
    kinds = [next(iter(item)) for item in made(CONVERSE, asked)["messages"][1]["content"]]
    assert kinds == ["reasoningContent", "text", "toolUse"]


def test_system_and_developer_messages_at_the_start_are_joined() -> None:
    asked = chat(system("Be brief."), system("Be kind.", "developer"), system(" "), *PLAIN)
    assert made(CONVERSE, asked)["system"] == [{"text": "Be brief.\n\nBe kind."}]
    assert "system" not in made(CONVERSE, chat(system(None), *PLAIN))
    assert "system" not in made(CONVERSE, chat(*PLAIN))


def test_a_system_prompt_may_stand_beside_the_messages() -> None:
    assert made(CONVERSE, chat(*PLAIN, system="S"))["system"] == [{"text": "S"}]
    assert made(CONVERSE, chat(system("T"), *PLAIN, s="S"), columns={"system": "s"})["system"] == [{"text": "S\n\nT"}]
    assert "system" not in made(CONVERSE, chat(*PLAIN, system=" "))
    assert codes(CONVERSE, chat(*PLAIN, system={"text": "S"})) == {"wrong_type"}
    assert codes(CONVERSE, chat(*PLAIN, system="Bot: S")) == {"reserved_word"}


def test_a_system_message_between_the_turns_is_refused() -> None:
    asked = chat(*PLAIN, system("Now be rude."), *PLAIN)
    assert refusal(CONVERSE, asked) == [
        ("system_position", "messages[2]: a system message stands behind the first turn")
    ]


def test_the_configured_system_prompt_goes_to_rows_that_bring_none() -> None:
    assert made(CONVERSE, chat(*PLAIN), system_prompt="P")["system"] == [{"text": "P"}]
    assert made(CONVERSE, chat(system("Own"), *PLAIN), system_prompt="P")["system"] == [{"text": "Own"}]


def test_tool_results_and_the_users_next_words_are_one_turn() -> None:
    asked = chat(
        user("x"), assistant("", tool_calls=[call("c1")]), tool("30C", "c1"), user("And Oslo?"), assistant("Cold.")
    )
    turn = made(CONVERSE, asked)["messages"][2]
    assert [next(iter(item)) for item in turn["content"]] == ["toolResult", "text"]


def test_turns_that_do_not_alternate_are_refused() -> None:
    assert codes(CONVERSE, chat(user("a"), user("b"), assistant("y"))) == {"turn_order"}
    assert codes(CONVERSE, chat(user("a"), assistant("b"), assistant("y"))) == {"turn_order"}
    assert codes(CONVERSE, chat(user("a"), assistant("b"), user("c"))) == {"turn_order"}
    assert codes(CONVERSE, chat(user("a"))) == {"too_few_turns"}
    assert codes(CONVERSE, chat()) == {"too_few_turns"}


def test_ids_that_are_missing_are_made_up_in_order() -> None:
    def asked(first: Any, second: Any) -> dict[str, Any]:
        calls = [call(first, '{"city":"a"}'), call(second, '{"city":"b"}')]
        return chat(user("x"), assistant(None, tool_calls=calls), tool("A", first), tool("B", second), assistant("y"))

    named = made(CONVERSE, asked("tool_call_0", "tool_call_1"))
    assert made(CONVERSE, asked(None, None)) == named
    assert named["messages"][2]["content"][1]["toolResult"] == {"toolUseId": "tool_call_1", "content": [{"text": "B"}]}
    twice = chat(*asked(None, None)["messages"], *asked(None, None)["messages"])
    used = [
        item["toolUse"]["toolUseId"]
        for turn in made(CONVERSE, twice)["messages"]
        for item in turn["content"]
        if "toolUse" in item
    ]
    assert used == ["tool_call_0", "tool_call_1", "tool_call_2", "tool_call_3"]


def test_a_made_up_id_is_not_one_that_is_taken() -> None:
    asked = chat(
        user("x"),
        assistant(None, tool_calls=[call(None), call("tool_call_0")]),
        tool("A"),
        tool("B", "tool_call_0"),
        assistant("y"),
    )
    results = [item["toolResult"] for item in made(CONVERSE, asked)["messages"][2]["content"]]
    assert [(result["toolUseId"], result["content"][0]["text"]) for result in results] == [
        ("tool_call_1", "A"),
        ("tool_call_0", "B"),
    ]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("not json", "the text is not JSON: Expecting value at character 1"),
        ("", "the text is not JSON: Expecting value at character 1"),
        ("[1]", "the text is an array, not a JSON object"),
        ('"x"', "the text is a text, not a JSON object"),
        ('{"a": NaN}', "the text is not JSON: NaN is not a JSON number"),
        ('{"a": 1, "a": 2}', 'the key "a" stands twice in one object'),
        ('{"a": 99999999999999999999}', "the number 99999999999999999999 does not fit 64 bits"),
        ('{"a": "\\ud800"}', 'half of a surrogate pair stands alone in "\\ud800"'),
    ],
)
def test_arguments_that_are_no_json_object_are_refused(arguments: str, reason: str) -> None:
    asked = chat(user("x"), assistant(None, tool_calls=[call("c1", arguments)]))
    place = "messages[1].tool_calls[0].function.arguments"
    assert refusal(CONVERSE, asked) == [("tool_input", f"{place} is not a JSON object: {reason}")]


def test_arguments_may_be_an_object_but_nothing_else() -> None:
    asked = chat(user("x"), assistant(None, tool_calls=[call("c1", {"city": "Rome"})]))
    assert made(CONVERSE, asked)["messages"][1]["content"][0]["toolUse"]["input"] == {"city": "Rome"}
    for arguments in (None, 5, [1]):
        assert codes(CONVERSE, chat(user("x"), assistant(None, tool_calls=[call("c1", arguments)]))) == {"tool_input"}


def test_nesting_that_conversion_makes_too_deep_is_refused() -> None:
    for depth, expected in ((150, None), (198, {"too_deep"})):
        asked = chat(user("x"), assistant(None, tool_calls=[call("c1", '{"a":' * depth + "1" + "}" * depth)]))
        if expected is None:
            again = transform(CONVERSE)(line(asked))
            assert transform(CONVERSE)(again) == again
        else:
            assert codes(CONVERSE, asked) == expected


def test_a_tool_without_parameters_takes_an_empty_object() -> None:
    simple = {"type": "function", "function": {"name": "now", "description": "The time", "strict": True}}
    [tool_] = made(CONVERSE, chat(*PLAIN, tools=[simple]))["toolConfig"]["tools"]
    assert tool_["toolSpec"]["inputSchema"] == {"json": {"type": "object", "properties": {}}}
    assert "toolConfig" not in made(CONVERSE, chat(*PLAIN, tools=[]))
    assert "toolConfig" not in made(CONVERSE, chat(*PLAIN, tools=None))


# Content parts

S3_IMAGE = {"type": "image_url", "image_url": {"url": "s3://b/cat.JPG", "detail": "low"}}


def test_text_parts_and_images_on_s3_become_content_items() -> None:
    asked = chat(user([S3_IMAGE, {"type": "text", "text": "What?"}]), assistant([{"type": "text", "text": "A cat"}]))
    location = {"uri": "s3://b/cat.JPG", "bucketOwner": "111122223333"}
    image = {"image": {"format": "jpeg", "source": {"s3Location": location}}}
    expected = row([image, {"text": "What?"}], [{"text": "A cat"}])
    assert made(CONVERSE, {**asked, "bucket_owner": "111122223333"}) == expected
    assert made(CONVERSE, {**asked, "o": "111122223333"}, columns={"bucket_owner": "o"}) == expected
    own = {"type": "image_url", "image_url": {**S3_IMAGE["image_url"], "bucket_owner": "111122223333"}}
    assert made(CONVERSE, chat(user([own, {"type": "text", "text": "What?"}]), assistant("A cat"))) == expected
    assert refusal(CONVERSE, asked) == [
        ("media_owner", "messages[0].content[0].image_url.bucket_owner is missing, and so is bucket_owner of the row")
    ]


def test_the_format_of_an_image_may_be_given() -> None:
    image = {"url": "s3://b/cat", "format": "png", "bucket_owner": "1"}
    asked = chat(user([{"type": "image_url", "image_url": image}, {"type": "text", "text": "?"}]), assistant("y"))
    assert made(CONVERSE, asked)["messages"][0]["content"][0]["image"]["format"] == "png"
    del image["format"]
    assert codes(CONVERSE, asked) == {"image_format"}


@pytest.mark.parametrize("url", ["https://h/cat.png", "data:image/png;base64,AA", None, 5, "cat.png"])
def test_images_that_are_not_on_s3_have_to_be_uploaded(url: Any) -> None:
    for value in ({"url": url}, url):
        asked = chat(user([{"type": "image_url", "image_url": value}]), assistant("y"), bucket_owner="1")
        [(code, message)] = refusal(CONVERSE, asked)
        assert code == "media_location"
        assert message.endswith("; upload the image to S3 and give its s3:// address")


REFUSED = [
    (chat(user("x"), assistant(None)), "missing_text"),
    (chat(user("x"), assistant("  ")), "missing_text"),
    (chat(user("x"), assistant(None, tool_calls=[])), "missing_text"),
    (chat(user("x"), assistant(None, reasoning="r")), "missing_text"),
    (chat(user(None), assistant("y")), "missing_text"),
    (chat({"role": "user"}, assistant("y")), "missing_text"),
    (chat(user([]), assistant("y")), "missing_text"),
    (chat(user([{"type": "text", "text": " "}]), assistant("y")), "missing_text"),
    (chat(user(5), assistant("y")), "wrong_type"),
    (chat(user([{"type": "text", "text": 5}]), assistant("y")), "wrong_type"),
    (chat(user("x"), assistant("y", reasoning=5)), "wrong_type"),
    (chat(user("x"), assistant("y", tool_calls={"a": 1})), "wrong_type"),
    (chat("x", "y"), "wrong_type"),
    ({"messages": "x"}, "wrong_type"),
    ({"messages": None}, "wrong_type"),
    (chat(*PLAIN, tools="x"), "wrong_type"),
    (chat(user([{"type": "input_audio", "input_audio": {}}]), assistant("y")), "content"),
    (chat(user(["x"]), assistant("y")), "content"),
    (chat(user("x"), assistant([{"type": "refusal", "refusal": "no"}])), "content"),
    (chat(system([S3_IMAGE]), *PLAIN, bucket_owner="1"), "content"),
    (chat(user("x"), assistant(None, tool_calls=["c"])), "content"),
    (chat(user("x"), assistant(None, tool_calls=[{**call("c"), "type": "custom"}])), "content"),
    (chat({"role": "robot", "content": "x"}, assistant("y")), "chat_role"),
    (chat({"content": "x"}, assistant("y")), "chat_role"),
    (chat({"role": ["user"], "content": "x"}, assistant("y")), "chat_role"),
    (chat(user("x", name="Ann"), assistant("y")), "unknown_key"),
    (chat(user("x"), assistant("y", weight=0)), "unknown_key"),
    (chat(user("x"), assistant("y", refusal="no")), "unknown_key"),
    (chat(user("x"), assistant("y", function_call={"name": "f"})), "unknown_key"),
    (chat(*PLAIN, functions=[{"name": "f"}]), "unknown_key"),
    (chat(*PLAIN, tools=[{"type": "web_search"}]), "tool_spec"),
    (chat(*PLAIN, tools=["x"]), "tool_spec"),
    (chat(*PLAIN, tools=[{"type": "function", "function": {"name": "f"}}]), "tool_spec"),
    (chat(*PLAIN, tools=[WEATHER, WEATHER]), "tool_twice"),
    (chat(user("x"), assistant(None, tool_calls=[call("c", name="f")]), tools=[WEATHER]), "tool_undefined"),
    (chat(user("x"), assistant(None, tool_calls=[call("c"), call("c")])), "tool_id_twice"),
    (chat(user("x"), assistant(None, tool_calls=[call(" ")])), "tool_id"),
    (chat(user("x"), assistant(None, tool_calls=[call("c", name="")])), "tool_name"),
    (chat(user("User: x"), assistant("y")), "reserved_word"),
    (chat(user("x"), assistant("y", reasoning="<image>")), "reserved_word"),
    (chat(user("x\0"), assistant("y")), "nul_character"),
    (chat(user("x"), assistant(None, tool_calls=[call("c")]), tool(None, "c"), assistant("y")), "missing_text"),
]


@pytest.mark.parametrize(("asked", "code"), REFUSED)
def test_what_a_converse_row_cannot_say_is_refused(asked: dict[str, Any], code: str) -> None:
    assert codes(CONVERSE, asked) == {code}


def test_a_fault_of_the_row_that_is_made_says_so() -> None:
    assert refusal(CONVERSE, chat(user("a"), user("b"), assistant("y"))) == [
        ("turn_order", "as a Converse row, messages[1].role is 'user', expected \"assistant\"")
    ]


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        (chat(*PLAIN, tools=[{"type": "x"}]), "tool_spec", 'tools[0] is not a tool of the type "function"'),
        (chat(user([]), assistant("y")), "missing_text", "messages[0].content is empty"),
        (
            chat(user([{"type": "text", "text": 5}]), assistant("y")),
            "wrong_type",
            "messages[0].content[0].text is a number, not a text",
        ),
        (
            chat(user("x"), assistant(None, tool_calls=[call("c", None)])),
            "tool_input",
            "messages[1].tool_calls[0].function.arguments is null, not a JSON object",
        ),
    ],
)
def test_what_is_wrong_is_named_where_it_stands(asked: dict[str, Any], code: str, message: str) -> None:
    assert refusal(CONVERSE, asked) == [(code, message)]


def test_results_that_answer_nothing_are_refused() -> None:
    asked = chat(user("x"), assistant(None, tool_calls=[call("a")]), tool("A", "b"), assistant("y"))
    assert codes(CONVERSE, asked) == {"tool_unmatched", "tool_unanswered"}
    assert codes(CONVERSE, chat(user("x"), assistant("y"), tool("A"), assistant("y"))) == {"tool_id"}


def test_what_says_nothing_may_stand_in_a_message() -> None:
    dumped = assistant("y", refusal=None, audio=None, function_call=None, tool_calls=None, annotations=[], weight=1)
    assert made(CONVERSE, chat(user("x", name=None), dumped)) == row()
    named = {**tool("30C", "c"), "name": "get_weather"}
    assert made(CONVERSE, chat(user("x"), assistant(None, tool_calls=[call("c")]), named, assistant("y")))


def test_keys_beside_the_messages_are_dropped_as_unmapped_columns_are() -> None:
    assert made(CONVERSE, chat(*PLAIN, id="r1", metadata={"a": 1}, parallel_tool_calls=True)) == row()


# Which rows are OpenAI's

CONVERSE_ROWS = [
    row(),
    {"messages": row()["messages"]},
    row(*CALL, toolConfig=TOOLS),
    {"messages": turns(QUESTION, [REASONING, *ANSWER])},
    {"messages": turns([IMAGE], ANSWER)},
    {"schemaVersion": "x", "messages": [user("x")]},
    {"system": [{"text": "S"}], "messages": []},
]


def test_rows_are_told_apart_by_their_content() -> None:
    assert [data for data in CONVERSE_ROWS if openai_chat.is_openai(data)] == []
    openai = [asked for asked, _ in REFUSED] + [chat(*PLAIN), PARALLEL, chat(user([S3_IMAGE]))]
    assert [data for data in openai if not openai_chat.is_openai(data)] == []


# Properties

TEXTS = st.sampled_from(["x", "", " ", "User: x", "é\u2028", '{"a":1}', "\0"]) | st.text(max_size=5)
MAYBE = st.none() | TEXTS
PARTS = st.sampled_from([S3_IMAGE, {"type": "other"}]) | TEXTS.map(lambda text: {"type": "text", "text": text})
CONTENTS = MAYBE | st.lists(PARTS, max_size=3)
IDS = st.sampled_from([None, "a", "b", "tool_call_0", ""])
ARGUMENTS = st.sampled_from(['{"a":1}', "{}", "[]", '{"a":1,"a":2}', '{"a":1e999}', '{"a":1.5}'])
MESSAGES = (
    st.builds(user, CONTENTS)
    | st.builds(assistant, CONTENTS)
    | st.builds(assistant, MAYBE, reasoning=MAYBE, tool_calls=st.lists(st.builds(call, IDS, ARGUMENTS), max_size=2))
    | st.builds(tool, CONTENTS, IDS)
    | st.builds(system, CONTENTS)
)
EXTRA = st.fixed_dictionaries({}, optional={"tools": st.just([WEATHER]), "bucket_owner": st.just("1"), "x": st.just(1)})


@given(messages=st.lists(MESSAGES, max_size=6), more=EXTRA, nova=st.sampled_from([1, 2]), ascii_only=st.booleans())
def test_a_row_is_refused_or_made_good_for_good(
    messages: list[Any], more: dict[str, Any], nova: int, ascii_only: bool
) -> None:
    prepare = CONVERSE.make(RowSettings(nova=nova))
    try:
        output = prepare(json.dumps(chat(*messages, **more), ensure_ascii=ascii_only).encode())
    except RejectedRowError:
        return
    good = orjson.loads(output)
    assert converse.faults(good, nova) == []
    assert (prepare.features, prepare.prompt()) == (converse.features(good), converse.user_text(good["messages"]))
    assert prepare(output) == output


@given(question=st.text(min_size=1), answer=st.text(min_size=1), prompt=st.none() | st.text(min_size=1))
def test_simple_chats_say_what_columns_say(question: str, answer: str, prompt: str | None) -> None:
    opening = [] if prompt is None else [system(prompt)]
    columns = {"question": question, "answer": answer, "system": prompt}
    results = []
    for data in (columns, chat(*opening, user(question), assistant(answer))):
        try:
            results.append(transform(CONVERSE)(line(data)))
        except RejectedRowError as refused:
            results.append(sorted(fault.code for fault in refused.faults))
    assert results[0] == results[1]
