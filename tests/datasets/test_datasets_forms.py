"""What holds for every form: mixed files, hostile rows, and one set of rules for making and checking."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_handlers.datasets.faults import CODES, RejectedRowError
from lambda_handlers.datasets.forms.cpt import CPT
from lambda_handlers.datasets.forms.form import Form
from lambda_handlers.datasets.forms.gen_qa import GEN_QA
from lambda_handlers.datasets.forms.llm_judge import LLM_JUDGE
from lambda_handlers.datasets.forms.openai_rows import OPENAI
from lambda_handlers.datasets.forms.rft import RFT
from lambda_handlers.datasets.forms.sft import CONVERSE
from tests.datasets.forms_support import line, transform

FORMS = {form.name: form for form in (CONVERSE, OPENAI, RFT, GEN_QA, LLM_JUDGE, CPT)}
OPENAI_CHAT = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
CONVERSE_CHAT = {
    "schemaVersion": "bedrock-conversation-2024",
    "messages": [
        {"role": "user", "content": [{"text": "q"}]},
        {"role": "assistant", "content": [{"text": "a"}]},
    ],
}
MADE: dict[str, dict[str, Any]] = {
    "converse": CONVERSE_CHAT,
    "openai": OPENAI_CHAT,
    "rft": {"messages": [{"role": "user", "content": "q"}], "reference_answer": "a"},
    "gen_qa": {"query": "q", "response": "a"},
}


@pytest.mark.parametrize("name", MADE)
def test_a_file_may_mix_columns_conversations_and_rows_of_the_form(name: str) -> None:
    form = FORMS[name]
    columns = dict(zip(form.required, ("x", "y"), strict=True))
    mine = transform(form, columns=columns)
    flat = {"x": "q", "y": "a", "more": 7}
    made = []
    for row in (flat, OPENAI_CHAT, CONVERSE_CHAT, MADE[name], flat):
        made.append((json.loads(mine(line(row))), mine.features & 1, mine.prompt()))
    from_csv = mine.from_columns({"x": "q", "y": "a", "more": "7"})
    assert made == [(MADE[name], flat_bit, "q") for flat_bit in (1, 0, 0, 0, 1)]
    assert (json.loads(from_csv), mine.features & 1, mine.prompt()) == (MADE[name], 1, "q")


WORDS = (
    "messages role content text type system tools function name description parameters schemaVersion toolConfig url "
    "image_url tool_calls arguments reasoning reference_answer question answer query response images data metadata "
    "prompt response_A response_B id image format source toolUse toolResult reasoningContent properties required"
)
VALUES = (
    "x user assistant system tool function object text image_url bedrock-conversation-2024 s3://b/i.png {} [] png "
    "User: data:image/png;base64,AAAA"
)
KEYS = st.sampled_from(WORDS.split())
TEXTS = st.sampled_from(["", " ", *VALUES.split()])
ATOMS = TEXTS | st.sampled_from([None, True, 0, 1.5])
SHAPES = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
TURN = st.fixed_dictionaries({"role": ATOMS, "content": SHAPES}) | SHAPES
ROWS = st.dictionaries(KEYS, SHAPES, max_size=5) | st.fixed_dictionaries(
    {"messages": st.lists(TURN, max_size=3)},
    optional={
        "schemaVersion": st.just("bedrock-conversation-2024"),
        "tools": SHAPES,
        "toolConfig": SHAPES,
        "id": ATOMS,
    },
)


def known(refused: RejectedRowError) -> bool:
    return bool(refused.faults) and {fault.code for fault in refused.faults} <= set(CODES)


@pytest.mark.parametrize("form", FORMS.values(), ids=lambda form: form.name)
@settings(deadline=None, max_examples=60)  # a busy machine is not a failure
@given(row=ROWS, as_is=st.booleans())
def test_whatever_a_row_holds_it_is_made_or_refused(form: Form, row: dict[str, Any], as_is: bool) -> None:
    mine = transform(form, as_is=as_is)
    made, codes_known = None, True
    try:
        made = mine(line(row))
    except RejectedRowError as refused:
        codes_known = known(refused)
    assert codes_known
    assert made is None or transform(form, as_is=True)(made) == made
    assert made is None or isinstance(mine.prompt(), str)


@pytest.mark.parametrize("form", FORMS.values(), ids=lambda form: form.name)
@settings(deadline=None, max_examples=60)  # a busy machine is not a failure
@given(values=st.dictionaries(KEYS, TEXTS, max_size=8))
def test_whatever_a_csv_record_holds_it_is_made_or_refused(form: Form, values: dict[str, str]) -> None:
    mine = transform(form)
    made, codes_known = None, True
    try:
        made = mine.from_columns(values)
    except RejectedRowError as refused:
        codes_known = known(refused)
    assert codes_known
    assert mine.columns_seen.rejected == (made is None)
    assert made is None or transform(form, as_is=True)(made) == made
