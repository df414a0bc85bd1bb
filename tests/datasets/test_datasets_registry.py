"""Model, method and evaluation task decide the form of the rows."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_handlers.datasets.forms import registry
from lambda_handlers.datasets.preparation import Preparation
from lambda_handlers.protocol.errors import InvalidRequest, UnsupportedCombination


def preparation(model: str = "NOVA_LITE_2", method: str = "SFT_LORA", **more: Any) -> Preparation:
    return Preparation(model=model, method=method, **more)


@pytest.mark.parametrize(
    ("model", "method", "task", "name", "output"),
    [
        ("NOVA_LITE_2", "SFT_LORA", None, "converse", "train.jsonl"),
        ("NOVA_MICRO", "SFT_FULL", None, "converse", "train.jsonl"),
        ("nova-lite-2", "sft_lora", None, "converse", "train.jsonl"),
        ("NOVA_LITE_2", "RFT_LORA", None, "rft", "train.jsonl"),
        ("NOVA_LITE_2", "RFT_FULL", None, "rft", "train.jsonl"),
        ("NOVA_PRO", "CPT", None, "cpt", "train.jsonl"),
        ("NOVA_PRO", "EVALUATION", None, "gen_qa", "gen_qa.jsonl"),
        ("NOVA_PRO", "evaluation", "Gen_QA", "gen_qa", "gen_qa.jsonl"),
        ("NOVA_PRO", "EVALUATION", "llm_judge", "llm_judge", "llm_judge.jsonl"),
        ("NOVA_LITE_2", "EVALUATION", "rubric_llm_judge", "llm_judge", "llm_judge.jsonl"),
        ("NOVA_MICRO", "EVALUATION", "rft_eval", "rft", "rft_eval.jsonl"),
    ],
)
def test_the_form_follows_from_the_names(model: str, method: str, task: str | None, name: str, output: str) -> None:
    form = registry.form_of(preparation(model, method, eval_task=task))
    assert (form.name, form.output) == (name, output)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (preparation("NOVA_LIGHT_2"), "Unknown model 'NOVA_LIGHT_2'. Did you mean NOVA_LITE_2?"),
        (preparation(method="SFT_LORE"), "Unknown method 'SFT_LORE'. Did you mean SFT_LORA?"),
        (preparation(method="EVALUATION", eval_task="gen-q"), "Did you mean gen_qa?"),
        (preparation(eval_task="gen_qa"), "goes with the method EVALUATION, not with SFT_LORA"),
    ],
)
def test_unknown_names_and_a_task_without_evaluation_are_invalid(asked: Preparation, sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence.replace("?", r"\?")):
        registry.form_of(asked)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (preparation("NOVA_PRO", "RFT_LORA"), "RFT_LORA needs a Nova 2 model; NOVA_PRO is Nova 1"),
        (preparation(method="EVALUATION", eval_task="mmlu"), "mmlu brings its own data"),
        (preparation(method="EVALUATION", eval_task="llm_judge"), "Use rubric_llm_judge"),
    ],
)
def test_what_cannot_work_is_unsupported(asked: Preparation, sentence: str) -> None:
    with pytest.raises(UnsupportedCombination, match=sentence):
        registry.form_of(asked)


def test_conversions_write_files_of_their_own_names() -> None:
    forms = {name: registry.conversion_form(name) for name in ("OpenAI", "CONVERSE")}
    assert {name: (form.name, form.output) for name, form in forms.items()} == {
        "OpenAI": ("openai", "openai.jsonl"),
        "CONVERSE": ("converse", "converse.jsonl"),
    }
    with pytest.raises(InvalidRequest, match=r"'opnai'\. Did you mean openai"):
        registry.conversion_form("opnai")


def test_the_settings_carry_what_the_model_can() -> None:
    asked = preparation("NOVA_MICRO", columns={"question": "q"}, system_prompt="Be brief.", as_is=True)
    settings = registry.settings_of(asked)
    assert (settings.nova, settings.multimodal, settings.as_is) == (1, False, True)
    assert (settings.columns, settings.system_prompt) == ({"question": "q"}, "Be brief.")
    assert registry.settings_of(preparation()).nova == 2
    assert registry.settings_of(preparation(method="CPT", system_prompt=" ")).system_prompt is None


def test_a_mapping_that_does_not_fit_is_refused_before_anything_is_read() -> None:
    with pytest.raises(InvalidRequest, match="did you mean 'question'"):
        registry.settings_of(preparation(columns={"qestion": "q"}))


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (preparation(system_prompt="User: x"), 'system_prompt contains "User:"'),
        (preparation(method="CPT", system_prompt="x"), "rows of the form cpt have no system prompt"),
    ],
)
def test_a_system_prompt_that_would_spoil_every_row_is_refused(asked: Preparation, sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        registry.settings_of(asked)
