"""Which models, methods, platforms, deployment targets and evaluation tasks can never work together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from lambda_handlers.catalog.evaluations import EvaluationTask, RecipeKind, evaluation_task
from lambda_handlers.catalog.lookup import UnknownNameError
from lambda_handlers.catalog.methods import Technique, TrainingMethod, method
from lambda_handlers.catalog.models import NovaModel, model
from lambda_handlers.catalog.platforms import DeployTarget, Platform, deploy_target, platform

_Found = TypeVar("_Found")


def check(
    model_name: str,
    method_name: str,
    platform_name: str,
    deploy_target_name: str | None = None,
    evaluation_tasks: Iterable[str] = (),
) -> list[str]:
    """Return every reason why the combination cannot work, unknown names included; empty when it can."""
    problems: list[str] = []
    chosen = _find(model, model_name, problems)
    how = _find(method, method_name, problems)
    where = _find(platform, platform_name, problems)
    target = _find(deploy_target, deploy_target_name, problems) if deploy_target_name is not None else None
    tasks = [_find(evaluation_task, name, problems) for name in evaluation_tasks]
    problems += _training(chosen, how, where)
    problems += _deployment(how, target)
    for task in tasks:
        problems += _evaluation(chosen, task)
    return problems


def data_problems(chosen: NovaModel, how: TrainingMethod, task: EvaluationTask | None) -> list[str]:
    """Return every reason why no dataset can be prepared for a model, a method and (for evaluation) a task."""
    problems = [*_training(chosen, how, None), *_evaluation(chosen, task)]
    return problems + (task.problems(has_dataset=True) if task is not None else [])


def _find(look_up: Callable[[str], _Found], name: str, problems: list[str]) -> _Found | None:
    try:
        return look_up(name)
    except UnknownNameError as unknown:
        problems.append(str(unknown))
        return None


def _training(chosen: NovaModel | None, how: TrainingMethod | None, where: Platform | None) -> list[str]:
    problems: list[str] = []
    if how is None:
        return problems
    if how.technique is Technique.RFT and chosen is not None and chosen.version != 2:
        problems.append(f"{how.name} needs a Nova 2 model; {chosen.name} is Nova {chosen.version}. Use NOVA_LITE_2.")
    if how.technique is Technique.CPT and where is Platform.SMTJ:
        problems.append(f"{how.name} runs only on SageMaker HyperPod; use platform SMHP.")
    return problems


def _deployment(how: TrainingMethod | None, target: DeployTarget | None) -> list[str]:
    if how is None or not how.full_rank or target is not DeployTarget.BEDROCK_OD:
        return []
    return [
        f"Amazon Bedrock serves {how.name} models, whose every weight is changed, only with provisioned throughput; "
        "use deployment target BEDROCK_PT, or a LoRA method for on-demand. Target NONE evaluates without deploying."
    ]


def _evaluation(chosen: NovaModel | None, task: EvaluationTask | None) -> list[str]:
    if chosen is None or task is None:
        return []
    problems: list[str] = []
    if chosen.version not in task.versions:
        instead = {"llm_judge": "rubric_llm_judge", "rubric_llm_judge": "llm_judge"}.get(task.name)
        hint = f" Use {instead}." if instead else ""
        problems.append(f"Evaluation task {task.name} does not exist for {chosen.name}.{hint}")
    if task.recipe_kind is RecipeKind.MULTIMODAL_BENCHMARK and not chosen.multimodal:
        problems.append(f"Evaluation task {task.name} shows images, and {chosen.name} reads only text.")
    return problems
