"""A column mapping is read against the form of the rows, and everything wrong with it is said at once."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_handlers.datasets.forms import columns
from lambda_handlers.datasets.forms.form import Form
from lambda_handlers.protocol.errors import InvalidRequest


def form(**more: Any) -> Form:
    facts: dict[str, Any] = {"required": ("question", "answer"), "optional": ("system",), **more}
    return Form(name="some", output="some.jsonl", make=lambda settings: pytest.fail("not made here"), **facts)


def problems(form: Form, mapping: Any) -> tuple[str, ...]:
    with pytest.raises(InvalidRequest) as caught:
        columns.resolve(form, mapping)
    return caught.value.problems


def test_a_name_that_is_not_mapped_stands_for_itself() -> None:
    assert columns.resolve(form()) == {"question": "question", "answer": "answer", "system": "system"}
    assert columns.resolve(form(), {"answer": "a"}) == {"question": "question", "answer": "a", "system": "system"}


def test_required_columns_and_those_mapped_on_purpose_are_expected() -> None:
    assert columns.expected(form()) == {"question": "question", "answer": "answer"}
    assert columns.expected(form(), {"system": "s"}) == {"question": "question", "answer": "answer", "system": "s"}


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    assert problems(form(), {"qestion": "q"}) == (
        "columns: 'qestion' is not a standard name of the form some (question, answer, system); "
        "did you mean 'question'?",
    )


def test_every_problem_is_reported_together() -> None:
    found = problems(form(), {"zzz": "q", "answer": 5, "system": ""})
    assert found == (
        "columns: 'zzz' is not a standard name of the form some (question, answer, system)",
        "columns.answer: 5 is not the name of a column",
        "columns.system: '' is not the name of a column",
    )


def test_two_required_names_do_not_read_one_column() -> None:
    sentence = "columns: question and answer read the same column 'answer'; map each to one of its own"
    assert problems(form(), {"question": "answer"}) == (sentence,)


def test_two_names_exchanged_or_one_column_read_twice_are_fine() -> None:
    assert columns.resolve(form(), {"question": "answer", "answer": "question"})["question"] == "answer"
    assert columns.resolve(form(), {"system": "question"})["system"] == "question"


def test_any_other_name_passes_through_where_the_form_says_so() -> None:
    open_form = form(passes_through=True, reserved=frozenset({"messages"}))
    assert columns.resolve(open_form, {"difficulty": "lv"})["difficulty"] == "lv"
    assert columns.expected(open_form, {"difficulty": "lv"})["difficulty"] == "lv"
    assert problems(open_form, {"messages": "m"}) == (
        "columns: 'messages' tells of which form a row is and cannot be mapped; choose another name",
    )
