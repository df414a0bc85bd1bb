"""The page about data preparation says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambda_handlers.datasets.faults import CODES
from lambda_handlers.datasets.forms.cpt import CPT
from lambda_handlers.datasets.forms.form import Form
from lambda_handlers.datasets.forms.gen_qa import GEN_QA
from lambda_handlers.datasets.forms.llm_judge import LLM_JUDGE
from lambda_handlers.datasets.forms.openai_rows import OPENAI
from lambda_handlers.datasets.forms.rft import RFT
from lambda_handlers.datasets.forms.sft import CONVERSE

PAGE = (Path(__file__).parents[2] / "docs" / "data-preparation.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    return PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]


def test_every_code_is_explained_under_rules() -> None:
    missing = {code: sentence for code, sentence in CODES.items() if f"`{code}`" not in section("Rules")}
    assert not missing, "explain these under Rules in docs/data-preparation.md"


@pytest.mark.parametrize("form", [CONVERSE, OPENAI, RFT, GEN_QA, LLM_JUDGE, CPT], ids=lambda form: form.name)
def test_every_form_and_its_standard_names_are_explained(form: Form) -> None:
    assert f"| `{form.name}` | `{form.output}`" in section("Forms")
    table = [row for row in section("Columns").splitlines() if row.startswith("| `")]
    named = {name for row in table for name in row.split("|")[1].split("`")[1::2]}
    assert set(form.required + form.optional) <= named
