"""Rows for the judge tasks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_handlers.datasets.faults import RejectedRowError
from lambda_handlers.datasets.forms import llm_judge
from lambda_handlers.datasets.forms.llm_judge import LLM_JUDGE
from tests.datasets.forms_support import codes, line, made, refusal, transform

ROW = {"prompt": "2+2?", "response_A": "4", "response_B": "5"}


def test_mapped_columns_become_a_prompt_and_two_answers() -> None:
    flat = {"q": "2+2?", "base": "4", "tuned": "5", "id": 7}
    columns = {"prompt": "q", "response_A": "base", "response_B": "tuned"}
    assert made(LLM_JUDGE, flat, columns=columns) == ROW


def test_a_row_of_the_form_is_kept_and_other_columns_are_dropped() -> None:
    assert made(LLM_JUDGE, ROW) == ROW
    assert made(LLM_JUDGE, {**ROW, "id": 7}) == ROW


def test_the_answers_may_be_exchanged_and_may_contain_reserved_words() -> None:
    columns = {"response_A": "response_B", "response_B": "response_A"}
    assert made(LLM_JUDGE, ROW, columns=columns) == {"prompt": "2+2?", "response_A": "5", "response_B": "4"}
    assert made(LLM_JUDGE, {**ROW, "response_A": "User: 4"})["response_A"] == "User: 4"


@pytest.mark.parametrize("name", ["prompt", "response_A", "response_B"])
def test_every_text_is_needed(name: str) -> None:
    assert refusal(LLM_JUDGE, {**ROW, name: " "}) == [("missing_text", f"{name} is empty")]
    assert refusal(LLM_JUDGE, {**ROW, name: 4}) == [("wrong_type", f"{name} is a number, not a text")]
    absent = {key: value for key, value in ROW.items() if key != name}
    assert refusal(LLM_JUDGE, absent) == [("missing_column", f'the column "{name}" is absent')]
    assert refusal(LLM_JUDGE, absent, as_is=True) == [("missing_column", f'the key "{name}" is absent')]


def test_a_conversation_has_no_second_answer() -> None:
    assert codes(LLM_JUDGE, {"messages": [{"role": "user", "content": "x"}]}) == {"conversation"}
    assert made(LLM_JUDGE, {**ROW, "messages": "x"}) == ROW


def test_as_is_allows_no_other_key() -> None:
    assert codes(LLM_JUDGE, {**ROW, "id": 7}, as_is=True) == {"unknown_key"}
    assert made(LLM_JUDGE, ROW, as_is=True) == ROW


def test_rows_of_several_kinds_in_one_file_are_told_apart() -> None:
    mine = transform(LLM_JUDGE, columns={"prompt": "q"})
    made_rows = [
        (json.loads(mine(line(row))), mine.features, mine.prompt())
        for row in (ROW, {"q": "3?", "response_A": "a", "response_B": "b", "prompt": "unused"})
    ]
    assert made_rows == [
        (ROW, 0, "2+2?"),
        ({"prompt": "3?", "response_A": "a", "response_B": "b"}, 1, "3?"),
    ]


SAID = st.none() | st.integers() | st.sampled_from(["x", "é", " ", "User: x", "a\0b"])


@settings(deadline=None)  # a busy machine is not a failure
@given(row=st.fixed_dictionaries({}, optional=dict.fromkeys((*ROW, "q"), SAID)), mapped=st.booleans())
def test_what_is_made_is_good_and_stays_as_it_is(row: dict[str, Any], mapped: bool) -> None:
    columns = {"prompt": "q"} if mapped else {}
    try:
        once = transform(LLM_JUDGE, columns=columns)(line(row))
    except RejectedRowError:
        return
    assert llm_judge.faults(json.loads(once)) == []
    assert transform(LLM_JUDGE, columns=columns)(once) == once
    assert transform(LLM_JUDGE, as_is=True)(once) == once
