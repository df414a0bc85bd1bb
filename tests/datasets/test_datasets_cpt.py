"""Rows of continued pre-training."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_handlers.datasets.faults import RejectedRowError
from lambda_handlers.datasets.forms import cpt
from lambda_handlers.datasets.forms.cpt import CPT
from lambda_handlers.datasets.forms.form import RowSettings
from lambda_handlers.protocol.errors import InvalidRequest
from tests.datasets.forms_support import codes, line, made, refusal, transform


def test_the_mapped_column_becomes_the_text_and_the_others_are_dropped() -> None:
    assert made(CPT, {"body": "Hello", "x": 1}, columns={"text": "body"}) == {"text": "Hello"}
    assert made(CPT, {"text": "title", "body": "Hello"}, columns={"text": "body"}) == {"text": "Hello"}
    assert made(CPT, {"text": "Hello", "x": 1}) == {"text": "Hello"}


def test_a_row_of_the_form_is_kept_whatever_the_mapping() -> None:
    assert made(CPT, {"text": " Hello\n"}, columns={"text": "body"}) == {"text": " Hello\n"}


def test_reserved_words_may_stand_in_a_text() -> None:
    assert made(CPT, {"text": "User: hi"}) == {"text": "User: hi"}


RULES: list[tuple[dict[str, Any], str, str]] = [
    ({"body": "x"}, "missing_column", 'the column "text" is absent'),
    ({"text": "\u2003"}, "missing_text", "text is empty"),
    ({"text": None}, "missing_text", "text is null"),
    ({"text": ["x"]}, "wrong_type", "text is an array, not a text"),
    ({"text": "a\0", "x": 1}, "nul_character", 'the column "text" contains a NUL character'),
    ({"messages": [{"role": "user", "content": "x"}]}, "conversation", "messages: a conversation is no text"),
]


@pytest.mark.parametrize(("row", "code", "sentence"), RULES)
def test_each_rule_has_its_code_and_names_the_place(row: dict[str, Any], code: str, sentence: str) -> None:
    [(found, message)] = refusal(CPT, row)
    assert (found, sentence in message) == (code, True), message


def test_as_is_allows_no_other_key() -> None:
    assert refusal(CPT, {"text": "x", "b": 1, "a": 1}, as_is=True) == [
        ("unknown_key", 'the key "a" is not part of a cpt row'),
        ("unknown_key", 'the key "b" is not part of a cpt row'),
    ]
    assert codes(CPT, {"body": "x"}, as_is=True) == {"unknown_key", "missing_column"}
    assert made(CPT, {"text": "x"}, as_is=True) == {"text": "x"}


def test_csv_rows_are_flat_rows() -> None:
    mine = transform(CPT)
    assert mine.from_columns({"text": "Hello", "more": ""}) == b'{"text":"Hello"}'
    assert (mine.features, mine.prompt()) == (1, "Hello")
    with pytest.raises(RejectedRowError):
        mine.from_columns({"body": "x"})
    assert (mine.columns_seen.rejected, dict(mine.columns_seen.absent)) == (1, {"text": 1})


def test_a_mapping_is_read_against_the_form() -> None:
    with pytest.raises(InvalidRequest, match="'question' is not a standard name of the form cpt"):
        CPT.make(RowSettings(columns={"question": "q"}))


HOSTILE = [
    (b'{"text": "x"', "not_json"),
    (b'{"text": NaN}', "not_json"),
    (b'["x"]', "not_an_object"),
    (b'{"text": "\xff"}', "invalid_utf8"),
    (b'{"text": "x", "text": "y"}', "duplicate_key"),
    (b'{"text": "x", "meta": {"a": 1, "a": 2}}', "duplicate_key"),
    (b'{"text": "x", "n": 99999999999999999999}', "number_out_of_range"),
    (b'{"text": "\\ud800"}', "lone_surrogate"),
    (b'{"text": "x", "n": ' + b"[" * 300 + b"]" * 300 + b"}", "too_deep"),
    (b'{"text": "x", "n": ' + b"[" * 9000 + b"]" * 9000 + b"}", "too_deep"),
]


@pytest.mark.parametrize(("data", "code"), HOSTILE)
def test_hostile_json_is_found_on_every_way(data: bytes, code: str) -> None:
    assert codes(CPT, data) == {code}


SAID = st.none() | st.integers() | st.sampled_from(["x", "\u00e9 y", "", "\u3000", "a\0", "User: x"])


@settings(deadline=None)  # a busy machine is not a failure
@given(row=st.dictionaries(st.sampled_from(["text", "body", "x"]), SAID))
def test_what_is_made_is_good_and_stays_as_it_is(row: dict[str, Any]) -> None:
    try:
        once = transform(CPT, columns={"text": "body"})(line(row))
    except RejectedRowError:
        return
    assert cpt.faults(json.loads(once)) == []
    assert transform(CPT, columns={"text": "body"})(once) == once
    assert transform(CPT, as_is=True)(once) == once
