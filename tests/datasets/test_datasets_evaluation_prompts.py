"""What the rows of evaluation sets ask."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from lambda_handlers.datasets.forms.cpt import CPT
from lambda_handlers.datasets.forms.form import Form
from lambda_handlers.datasets.forms.gen_qa import GEN_QA
from lambda_handlers.datasets.forms.llm_judge import LLM_JUDGE
from lambda_handlers.datasets.forms.rft import RFT
from lambda_handlers.datasets.forms.sft import CONVERSE
from lambda_handlers.datasets.passes.evaluation_prompts import prompt_hashes
from lambda_handlers.datasets.passes.index import prompt_hash
from lambda_handlers.protocol.errors import InvalidRequest


def hashes(*rows: dict[str, Any], form: Form = CONVERSE, columns: Mapping[str, str] | None = None) -> list[bytes]:
    lines = [(number, 0, json.dumps(row).encode()) for number, row in enumerate(rows, start=1)]
    return list(prompt_hashes(lines, source="set.jsonl", columns=columns or {}, form=form))


@pytest.mark.parametrize(
    ("form", "name"),
    [(CONVERSE, "question"), (RFT, "question"), (GEN_QA, "query"), (LLM_JUDGE, "prompt"), (CPT, "text")],
)
def test_the_column_that_asks_in_the_form_counts_first(form: Form, name: str) -> None:
    row = {other: other for other in ("query", "prompt", "question", "text", "mine")}
    assert hashes(row, form=form) == [prompt_hash(name)]
    assert hashes(row, form=form, columns={name: "mine"}) == [prompt_hash("mine")]


def test_the_other_columns_count_where_that_one_is_absent() -> None:
    assert hashes({"prompt": "p"}, {"text": "t"}, {"query": "q", "text": "t"}) == list(map(prompt_hash, "ptq"))
    assert hashes({"question": "q"}, columns={"question": "mine"}) == [prompt_hash("q")]


def test_a_column_with_a_blank_text_does_not_ask() -> None:
    assert hashes({"question": " ", "query": "q"}) == [prompt_hash("q")]


@pytest.mark.parametrize("role", ["user", "User", "USER"])
def test_the_user_is_known_in_any_letter_case(role: str) -> None:
    messages = [{"role": "system", "content": "s"}, {"role": role, "content": [{"text": "q"}]}]
    assert hashes({"messages": messages}) == [prompt_hash("q")]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": []},
        {"messages": [{"role": "assistant", "content": "a"}]},
        {"messages": [{"role": "user", "content": " \n"}]},
        {"query": "  "},
        {"query": ""},
        {"query": None},
        {"answer": "a"},
    ],
)
def test_a_row_that_asks_nothing_is_named(row: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=r"row 2 \(line 2\) of the evaluation set set.jsonl does not tell"):
        hashes({"query": "q"}, row)
