"""Rows for an evaluation with one's own questions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_handlers.datasets.faults import RejectedRowError
from lambda_handlers.datasets.forms import gen_qa
from lambda_handlers.datasets.forms.gen_qa import GEN_QA
from tests.datasets.forms_support import codes, line, made, refusal, transform

IMAGE = "data:image/png;base64,iVBORw=="
CHAT = {
    "messages": [
        {"role": "system", "content": "S"},
        {"role": "user", "content": [{"type": "text", "text": "2+2?"}, {"type": "text", "text": "Now."}]},
        {"role": "assistant", "content": "4"},
    ]
}
CONVERSE = {
    "schemaVersion": "bedrock-conversation-2024",
    "messages": [
        {"role": "user", "content": [{"text": "2+2?"}]},
        {"role": "assistant", "content": [{"text": "4"}]},
    ],
}


def row(**more: Any) -> dict[str, Any]:
    return {"query": "2+2?", "response": "4", **more}


def turns(*roles: str) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": role} for role in roles]}


def test_mapped_columns_become_a_question_with_its_answer_and_images() -> None:
    columns = {"query": "p", "response": "g", "images": "im", "metadata": "md", "system": "sy"}
    flat = {"p": "2+2?", "g": "4", "im": ["data:image/png;base64,AA"], "md": "k", "sy": "S", "more": 1}
    assert made(GEN_QA, flat, columns=columns) == {
        "query": "2+2?",
        "response": "4",
        "system": "S",
        "images": [{"data": "data:image/png;base64,AA=="}],
        "metadata": "k",
    }


@pytest.mark.parametrize("images", [IMAGE, [IMAGE], {"data": IMAGE}, [{"data": IMAGE}]])
def test_one_image_or_several_are_written_in_one_way(images: Any) -> None:
    assert made(GEN_QA, row(images=images)) == row(images=[{"data": IMAGE}])
    assert made(GEN_QA, row(images=images, more=1)) == row(images=[{"data": IMAGE}])


def test_optional_values_that_say_nothing_are_left_out() -> None:
    assert made(GEN_QA, row(metadata=None, system=" ", images=[])) == row()
    assert made(GEN_QA, row(metadata="", images=None, more=1)) == row()


def test_a_row_of_the_form_is_kept_and_columns_that_nothing_maps_are_dropped() -> None:
    whole = row(system="S", images=[{"data": IMAGE}], metadata="m")
    assert made(GEN_QA, whole) == whole
    assert made(GEN_QA, {**whole, "id": 5}) == whole


def test_a_mapping_counts_before_the_names_of_the_form() -> None:
    assert made(GEN_QA, row(response="no", gold="4"), columns={"response": "gold"}) == row()
    assert made(GEN_QA, row(), columns={"response": "gold"}) == row()
    exchanged = made(GEN_QA, row(), columns={"query": "response", "response": "query"})
    assert exchanged == {"query": "4", "response": "2+2?"}


def test_a_conversation_of_one_question_becomes_a_row() -> None:
    assert made(GEN_QA, CHAT) == {"query": "2+2?\nNow.", "response": "4", "system": "S"}
    assert made(GEN_QA, CONVERSE) == row()
    assert made(GEN_QA, CONVERSE, system_prompt="P") == row(system="P")
    assert made(GEN_QA, CHAT, system_prompt="P")["system"] == "S"
    beside = {"messages": CHAT["messages"][1:], "sy": "S"}
    assert made(GEN_QA, beside, columns={"system": "sy"})["system"] == "S"
    assert made(GEN_QA, {**CHAT, "metadata": "m", "id": 5})["metadata"] == "m"


TOOLS = [{"toolSpec": {"name": "t", "description": "d", "inputSchema": {"json": {"type": "object"}}}}]
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "r"}}}
PICTURE = {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/i.png", "bucketOwner": "1"}}}}


@pytest.mark.parametrize(
    ("chat", "code", "sentence"),
    [
        (turns("user", "assistant", "user", "assistant"), "conversation", "the conversation has 4 turns"),
        (turns("user"), "too_few_turns", "has 1 turns"),
        (turns("assistant", "user"), "turn_order", "messages[0].role"),
        ({**CONVERSE, "toolConfig": {"tools": TOOLS}}, "chat_tools", "toolConfig"),
        (
            {**CONVERSE, "messages": [{"role": "user", "content": [PICTURE]}, CONVERSE["messages"][1]]},
            "text_only",
            "messages[0].content[0] is image",
        ),
        (
            {
                **CONVERSE,
                "messages": [CONVERSE["messages"][0], {"role": "assistant", "content": [THOUGHT, {"text": "4"}]}],
            },
            "text_only",
            "messages[1].content[0] is reasoningContent",
        ),
    ],
)
def test_a_conversation_that_says_more_is_refused(chat: dict[str, Any], code: str, sentence: str) -> None:
    assert any(found == code and sentence in message for found, message in refusal(GEN_QA, chat)), refusal(GEN_QA, chat)


RULES: list[tuple[dict[str, Any], str, str]] = [
    ({"query": "q"}, "missing_column", 'the column "response" is absent'),
    (row(query=" \t"), "missing_text", "query is empty"),
    (row(response=None), "missing_text", "response is null"),
    (row(response=4), "wrong_type", "response is a number, not a text"),
    (row(query="Bot: hi"), "reserved_word", 'query contains "Bot:"'),
    (row(response="see <image>"), "reserved_word", 'response contains "<image>"'),
    (row(system="user: x"), "reserved_word", 'system contains "user:"'),
    (row(metadata="[EOS]"), "reserved_word", 'metadata contains "[EOS]"'),
    (row(metadata={"a": 1}), "wrong_type", "metadata is an object, not a text"),
    (row(system=5, more=1), "wrong_type", 'the column "system" is a number'),
    (row(query="a\0"), "nul_character", "query contains a NUL character"),
    (row(images=[5]), "image_data", "images[0] is not of the form {data}"),
    (row(images=5), "image_data", "images[0] is not of the form {data}"),
    (row(images=[{"data": IMAGE, "format": "png"}]), "image_data", "images[0] is not of the form {data}"),
    (row(images=[{"data": 5}]), "image_data", "images[0].data is a number, not a text that begins"),
    (row(images=["s3://b/i.png"]), "image_data", "images[0].data is 's3://b/i.png', not a text that begins"),
    (row(images=["data:text/plain;base64,AAAA"]), "image_data", "images[0].data is 'data:text/plain"),
    (row(images=["data:image/png,AAAA"]), "image_data", "images[0].data is 'data:image/png,"),
    (row(images=[IMAGE, "data:image/png;base64,"]), "image_data", "images[1].data: what follows"),
    (row(images=["data:image/png;base64,A"]), "image_data", "images[0].data: what follows"),
    (row(images=["data:image/png;base64,AA=A"]), "image_data", "images[0].data: what follows"),
    (row(images=["data:image/png;base64,A*AA"]), "image_data", "images[0].data: what follows"),
    (row(images=["data:image/png;base64,éAAA"]), "image_data", "images[0].data: what follows"),
    (row(images=["data:image/png;base64,AA AA"]), "image_data", "images[0].data: what follows"),
]


@pytest.mark.parametrize(("given_row", "code", "sentence"), RULES)
def test_each_rule_has_its_code_and_names_the_place(given_row: dict[str, Any], code: str, sentence: str) -> None:
    [(found, message)] = refusal(GEN_QA, given_row)
    assert (found, sentence in message) == (code, True), message


def test_images_are_not_for_a_model_that_reads_only_text() -> None:
    for given_row in (row(images=[IMAGE]), row(images=[IMAGE], more=1)):
        assert codes(GEN_QA, given_row, multimodal=False) == {"media_model"}
    assert made(GEN_QA, row(images=[]), multimodal=False) == row()


@pytest.mark.parametrize("url", ["DATA:IMAGE/PNG;BASE64,iVBORw==", "data:image/svg+xml;base64,iVBORw=="])
def test_the_head_of_an_image_may_be_written_in_any_case_and_name_any_format(url: str) -> None:
    assert made(GEN_QA, row(images=[url])) == row(images=[{"data": url}])


@pytest.mark.parametrize(
    ("given_row", "code"),
    [
        (row(more=1), "unknown_key"),
        (row(metadata=None), "wrong_type"),
        (row(images=IMAGE), "wrong_type"),
        (row(images=[]), "wrong_type"),
        ({"p": "q", "response": "4"}, "missing_column"),
        (CHAT, "missing_column"),
    ],
)
def test_as_is_takes_rows_of_the_form_only(given_row: dict[str, Any], code: str) -> None:
    assert code in codes(GEN_QA, given_row, as_is=True)
    assert made(GEN_QA, row(system="S"), as_is=True) == row(system="S")


def test_features_and_prompt_tell_about_the_row() -> None:
    mine = transform(GEN_QA)
    mine(line(row(images=[IMAGE], more=1)))
    assert (mine.features, mine.prompt()) == (0b101, "2+2?")
    mine(line(row(system="S")))
    assert mine.features == 0b10
    mine(line(CHAT))
    assert (mine.features, mine.prompt()) == (0b10, "2+2?\nNow.")


@pytest.mark.parametrize("images", [IMAGE, json.dumps([IMAGE]), json.dumps([{"data": IMAGE}])])
def test_images_of_csv_are_one_address_or_an_array_of_json(images: str) -> None:
    values = {"query": "2+2?", "response": "4", "images": images, "metadata": "", "system": "", "more": "x"}
    mine = transform(GEN_QA)
    assert json.loads(mine.from_columns(values)) == row(images=[{"data": IMAGE}])
    assert mine.features == 0b101


def test_an_array_of_csv_that_is_no_json_is_refused() -> None:
    with pytest.raises(RejectedRowError, match="images"):
        transform(GEN_QA).from_columns({"query": "q", "response": "r", "images": "[" + IMAGE})


def test_rows_that_lack_columns_are_counted_whether_good_or_not() -> None:
    mine = transform(GEN_QA, columns={"metadata": "md"})
    mine(line(row(more=1)))
    with pytest.raises(RejectedRowError):
        mine(line({"query": "q", "md": "m"}))
    assert (mine.columns_seen.rejected, dict(mine.columns_seen.absent)) == (1, {"md": 1, "response": 1})


TEXTS = st.sampled_from(["x", "", " ", "User: x", "a\0b", IMAGE, "data:image/png;base64,AA"])
ANY = st.none() | st.integers() | TEXTS | st.just([]) | st.lists(TEXTS, max_size=2) | st.just([{"data": IMAGE}])
SAID = st.sampled_from(["x", "é", "y", " ", "User: x"])
KEYS = dict.fromkeys(("images", "system", "metadata", "md"), ANY) | dict.fromkeys(("query", "response"), SAID)


@settings(deadline=None)  # a busy machine is not a failure
@given(
    row=st.fixed_dictionaries({}, optional=KEYS),
    mapped=st.booleans(),
    prompt=st.sampled_from([None, "P"]),
    multimodal=st.booleans(),
)
def test_what_is_made_is_good_and_stays_as_it_is(
    row: dict[str, Any], mapped: bool, prompt: str | None, multimodal: bool
) -> None:
    settings: dict[str, Any] = {
        "columns": {"metadata": "md"} if mapped else {},
        "system_prompt": prompt,
        "multimodal": multimodal,
    }
    try:
        once = transform(GEN_QA, **settings)(line(row))
    except RejectedRowError:
        return
    assert gen_qa.faults(json.loads(once), multimodal=multimodal) == []
    assert transform(GEN_QA, **settings)(once) == once
    assert transform(GEN_QA, as_is=True)(once) == once
