"""Which form the rows of a dataset take: by model, method and evaluation task, or by the name of a conversion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from lambda_handlers import catalog
from lambda_handlers.catalog import combinations
from lambda_handlers.catalog.lookup import UnknownNameError, find
from lambda_handlers.catalog.methods import Technique
from lambda_handlers.datasets.forms.columns import resolve
from lambda_handlers.datasets.forms.cpt import CPT
from lambda_handlers.datasets.forms.form import Form, RowSettings
from lambda_handlers.datasets.forms.gen_qa import GEN_QA
from lambda_handlers.datasets.forms.llm_judge import LLM_JUDGE
from lambda_handlers.datasets.forms.openai_rows import OPENAI
from lambda_handlers.datasets.forms.rft import RFT
from lambda_handlers.datasets.forms.sft import CONVERSE
from lambda_handlers.datasets.forms.texts import optional_text
from lambda_handlers.datasets.preparation import Preparation
from lambda_handlers.protocol.errors import InvalidRequest, UnsupportedCombination

_Found = TypeVar("_Found")

DEFAULT_TASK: Final = "gen_qa"
"""The evaluation task when none is named: the one that asks one's own questions."""

_TECHNIQUES: Final = {Technique.SFT: CONVERSE, Technique.RFT: RFT, Technique.CPT: CPT}
_TASKS: Final = {"gen_qa": GEN_QA, "llm_judge": LLM_JUDGE, "rubric_llm_judge": LLM_JUDGE, "rft_eval": RFT}
_CONVERSIONS: Final = {"converse": replace(CONVERSE, output="converse.jsonl"), "openai": OPENAI}
# The container reads questions and judgements from files of these names (AWS); of rft_eval no source names the file.
# It is called after its task like the others, which also keeps it apart from training data in one folder.
_OUTPUTS: Final = {"rft_eval": "rft_eval.jsonl"}

OUTPUTS: Final = frozenset(
    {*(form.output for forms in (_TECHNIQUES, _TASKS, _CONVERSIONS) for form in forms.values()), *_OUTPUTS.values()}
)
"""The names that the file with the good rows can have."""


def form_of(preparation: Preparation) -> Form:
    """Return the form that rows for a model, a method and an evaluation task have; names count in any letter case.

    Raises:
        InvalidRequest: A name is unknown, or an evaluation task is given with a method that trains.
        UnsupportedCombination: Model, method and task do not go together, or the task brings its own data.
    """
    how = _named(catalog.method, preparation.method)
    if how.trains and preparation.eval_task is not None:
        raise InvalidRequest(
            f"evaluation task {preparation.eval_task!r} goes with the method EVALUATION, not with {how.name}; "
            "leave one of the two out"
        )
    task = None if how.trains else _named(catalog.evaluation_task, preparation.eval_task or DEFAULT_TASK)
    model = _named(catalog.model, preparation.model)
    problems = combinations.data_problems(model, how, task)
    if problems:
        raise UnsupportedCombination(" ".join(problems), problems=problems)
    if task is None:
        return _TECHNIQUES[how.technique]
    form = _TASKS[task.name]
    return replace(form, output=_OUTPUTS.get(task.name, form.output))


def conversion_form(name: str) -> Form:
    """Return the form that chat rows are converted to: `openai` or `converse`, in any letter case.

    Raises:
        InvalidRequest: There is no such conversion.
    """
    try:
        return find("form to convert to", name, _CONVERSIONS)
    except UnknownNameError as unknown:
        raise InvalidRequest(str(unknown)) from None


def settings_of(preparation: Preparation) -> RowSettings:
    """Return what the transform of a preparation has to know; the columns are as given, checked against the form.

    Raises:
        InvalidRequest: As `form_of`; or the column mapping is not valid; or the system prompt (a blank one is none)
            breaks a rule or has no place in the form.
        UnsupportedCombination: As `form_of`.
    """
    form = form_of(preparation)
    resolve(form, preparation.columns)
    prompt = preparation.system_prompt
    if prompt is not None and prompt.strip():
        _check_system_prompt(prompt, form)
    else:
        prompt = None
    model = _named(catalog.model, preparation.model)
    return RowSettings(
        nova=model.version,
        multimodal=model.multimodal,
        columns=preparation.columns,
        system_prompt=prompt,
        as_is=preparation.as_is,
    )


def _named(look_up: Callable[[str], _Found], name: str) -> _Found:
    try:
        return look_up(name)
    except UnknownNameError as unknown:
        raise InvalidRequest(str(unknown)) from None


def _check_system_prompt(prompt: str, form: Form) -> None:
    if "system" not in form.optional:
        raise InvalidRequest(f"system_prompt: rows of the form {form.name} have no system prompt; leave it out")
    problems = [fault.message for fault in optional_text(prompt, "system_prompt")]
    if problems:
        raise InvalidRequest("; ".join(problems), problems=problems)
