"""Flat rows become Converse rows, and what is wrong with a row is named."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_handlers.datasets.faults import CODES, RejectedRowError
from lambda_handlers.datasets.forms import converse
from lambda_handlers.datasets.forms.columns import Columns
from lambda_handlers.datasets.forms.sft import SftTransform


def sft(nova: converse.NovaVersion = 2, system_prompt: str | None = None, **columns: str) -> SftTransform:
    return SftTransform(nova=nova, columns=Columns.parse(columns), system_prompt=system_prompt)


def line(**row: Any) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode()


def codes(transform: SftTransform, data: bytes) -> set[str]:
    with pytest.raises(RejectedRowError) as caught:
        transform(data)
    return {fault.code for fault in caught.value.faults}


def test_a_mapped_row_becomes_a_conversation_with_its_system_prompt() -> None:
    made = sft(nova=1, question="q", answer="a", system="s")(line(q="Capital of Peru?", a="Lima", s="Geo bot"))
    assert json.loads(made) == {
        "schemaVersion": "bedrock-conversation-2024",
        "system": [{"text": "Geo bot"}],
        "messages": [
            {"role": "user", "content": [{"text": "Capital of Peru?"}]},
            {"role": "assistant", "content": [{"text": "Lima"}]},
        ],
    }


def test_no_system_prompt_is_invented() -> None:
    assert "system" not in json.loads(sft()(line(question="x", answer="y")))


def test_the_configured_system_prompt_stands_in_where_a_row_has_none() -> None:
    transform = sft(system_prompt="Be brief.", system="s")
    assert json.loads(transform(line(question="x", answer="y", s=" ")))["system"] == [{"text": "Be brief."}]
    assert json.loads(transform(line(question="x", answer="y", s="Own")))["system"] == [{"text": "Own"}]


def test_reasoning_comes_before_the_answer_on_nova_2_and_is_left_out_on_nova_1() -> None:
    row = line(question="x", answer="y", r="because")
    two = json.loads(sft(nova=2, reasoning_text="r")(row))
    assert two["messages"][1]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "because"}}},
        {"text": "y"},
    ]
    one = json.loads(sft(nova=1, reasoning_text="r")(row))
    assert one["messages"][1]["content"] == [{"text": "y"}]


def test_unmapped_columns_are_dropped() -> None:
    made = json.loads(sft()(line(question="x", answer="y", id=7, extra="z")))
    assert set(made) == {"schemaVersion", "messages"}


BAD = [
    (b'{"question": "x", "answer": "y"', {"not_json"}),
    (b'{"question": "x", "answer": NaN}', {"not_json"}),
    (b'{"question": "x", "answer": "y", "n": -Infinity}', {"not_json"}),
    (b'["x"]', {"not_an_object"}),
    (b"null", {"not_an_object"}),
    (b'{"question": "\xff", "answer": "y"}', {"invalid_utf8"}),
    (b'{"question": "x", "answer": "y", "answer": "z"}', {"duplicate_key"}),
    (b'{"question": "x", "answer": "y", "n": 99999999999999999999}', {"number_out_of_range"}),
    (b'{"question": "x", "answer": "y", "n": 1e999}', {"number_out_of_range"}),
    (b'{"question": "\\ud800", "answer": "y"}', {"lone_surrogate"}),
    (b'{"question": "x", "answer": "y", "\\udfff": 1}', {"lone_surrogate"}),
    (b'{"question": "a\\u0000b", "answer": "y"}', {"nul_character"}),
    (b'{"question": "x"}', {"missing_column"}),
    (b'{"question": "x", "answer": null}', {"missing_text"}),
    (b'{"question": " \\t\\u3000", "answer": ""}', {"missing_text"}),
    (b'{"question": 5, "answer": ["y"]}', {"wrong_type"}),
    (b'{"question": "x", "answer": "y", "system": 0}', {"wrong_type"}),
    (b'{"question": "User: hi", "answer": "y"}', {"reserved_word"}),
    (b'{"question": "x", "answer": "the assIstant: yes"}', {"reserved_word"}),
    (b'{"question": "x", "answer": "\\u0042ot: no"}', {"reserved_word"}),
    (b'{"question": "see <image>", "answer": "y"}', {"reserved_word"}),
    (b'{"question": "x", "answer": "y[EOS]"}', {"reserved_word"}),
    (b'{"question": "x", "answer": "y", "system": "SYSTEM: z"}', {"reserved_word"}),
    (b'{"question": 1}', {"wrong_type", "missing_column"}),
    (b'{"question": "x", "answer": ' + b"[" * 5000 + b"]" * 5000 + b"}", {"too_deep"}),
    (b'{"question": "x", "answer": ' + b"[" * 300 + b"]" * 300 + b"}", {"too_deep"}),
]


@pytest.mark.parametrize(("data", "expected"), BAD)
def test_a_faulty_row_is_named_by_its_codes(data: bytes, expected: set[str]) -> None:
    assert codes(sft(), data) == expected
    assert expected <= set(CODES)


@pytest.mark.parametrize("text", ["superuser: root", "ombot: x", "<images>", "[eosx]", "a user says", "robot:"])
def test_reserved_words_within_other_words_are_fine(text: str) -> None:
    made = json.loads(sft()(line(question=text, answer="y")))
    assert made["messages"][0]["content"] == [{"text": text}]


@pytest.mark.parametrize(
    "data",
    [
        b'{"question": "x", "answer": "y", "answer": "z"}',
        b'{"question": "x", "answer": "y", "n": 99999999999999999999}',
        b'{"question": "a\\u0000b", "answer": "y"}',
    ],
)
def test_a_fast_parser_alone_would_have_let_it_pass(data: bytes) -> None:
    assert orjson.loads(data)["question"]
    assert codes(sft(), data)


def test_a_key_given_twice_is_found_behind_escaped_quotes() -> None:
    hidden = b'{"question": "x", "answer": "\\u0022\\u0022\\u0022\\u0022", "answer" : "\\u0022\\u0022\\u0022\\u0022"}'
    assert codes(sft(), hidden) == {"duplicate_key"}


def test_the_message_names_the_column_and_the_word() -> None:
    with pytest.raises(RejectedRowError) as caught:
        sft(question="prompt")(line(prompt="Bot: hi", answer=None))
    assert [fault.message for fault in caught.value.faults] == [
        'the column "prompt" contains "Bot:", which makes training fail',
        'the column "answer" is null',
    ]


def test_a_converse_row_is_checked_and_passed_through() -> None:
    row = json.loads(sft(system_prompt="unused")(line(question="x", answer="y")))
    del row["system"]
    assert json.loads(sft(system_prompt="unused")(json.dumps(row).encode())) == row


TEXTS = st.text() | st.sampled_from(
    ["User: x", "ok", " ", 'say "hi" now', "\0", "a\\b", "\u017fystem:", "System:", "é user:"]
)
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.lists(TEXTS, max_size=2)
KEYS = st.sampled_from(["question", "answer", "system", "reasoning_text", "other"]) | st.text(max_size=3)


@given(
    row=st.dictionaries(KEYS, VALUES, max_size=6),
    ascii_only=st.booleans(),
    nova=st.sampled_from([1, 2]),
    mapped=st.booleans(),
    prompt=st.sampled_from([None, "P"]),
)
def test_the_fast_way_means_what_the_careful_way_means(
    row: dict[str, Any], ascii_only: bool, nova: converse.NovaVersion, mapped: bool, prompt: str | None
) -> None:
    data = json.dumps(row, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    transform = sft(nova=nova, system_prompt=prompt, **({"system": "system"} if mapped else {}))
    fast = transform._fast(data)
    if fast is not None:
        assert fast == transform._careful(data)
        assert converse.faults(orjson.loads(fast), nova) == []


TURNS = st.lists(TEXTS, min_size=1, max_size=4)


@given(texts=TURNS, system=st.none() | TEXTS, more=st.sampled_from([{}, {"x": 1}]), ascii_only=st.booleans())
def test_the_fast_way_of_a_conversation_means_what_the_careful_way_means(
    texts: list[str], system: str | None, more: dict[str, Any], ascii_only: bool
) -> None:
    turns = [{"role": ("user", "assistant")[n % 2], "content": [{"text": text}]} for n, text in enumerate(texts)]
    prompt = {} if system is None else {"system": [{"text": system}]}
    row = {"schemaVersion": converse.SCHEMA_VERSION, **prompt, "messages": turns, **more}
    data = json.dumps(row, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    transform = sft()
    fast = transform._fast(data)
    if fast is not None:
        assert fast == transform._careful(data)


def test_a_simple_conversation_takes_the_fast_way_unless_a_key_is_given_twice() -> None:
    made = sft(system="s")(line(question="x", answer='say "y"', s="z"))
    assert sft()._fast(made) == made
    assert codes(sft(), made.replace(b'"role":"user"', b'"role":"user","role":"user"')) == {"duplicate_key"}
