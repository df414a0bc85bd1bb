"""What recipe is asked for, checked against the catalog."""

from __future__ import annotations

from dataclasses import dataclass

from lambda_handlers import catalog
from lambda_handlers.catalog import EvaluationTask, NovaModel, Platform, TrainingMethod, UnknownNameError
from lambda_handlers.protocol.errors import InvalidRequest, UnsupportedCombination
from nova_constructs.cli.errors import BadInputError


@dataclass(frozen=True, kw_only=True, slots=True)
class RecipeRequest:
    """A recipe by model, work (a method, or a task of EVALUATION) and platform; `instance_type` None is any."""

    model: NovaModel
    work: TrainingMethod | EvaluationTask
    platform: Platform
    instance_type: str | None
    subtask: str | None


def parse_request(
    *, model: str, method: str, platform: str, task: str | None, subtask: str | None, instance_type: str | None
) -> RecipeRequest:
    """Return the request for names as the user wrote them, in any letter case.

    Raises:
        BadInputError: Options that do not go together.
        InvalidRequest: A name that the catalog does not have, or a subtask that the task does not.
        UnsupportedCombination: With every reason why model, method, platform and task cannot work together.
    """
    try:
        chosen, how, where = catalog.model(model), catalog.method(method), catalog.platform(platform)
        evaluated = catalog.evaluation_task(task) if task is not None else None
    except UnknownNameError as unknown:
        raise InvalidRequest(str(unknown)) from unknown
    _check_task(how, evaluated, subtask)
    problems = catalog.combinations.check(
        chosen.name, how.name, where.value, None, [evaluated.name] if evaluated is not None else []
    )
    if problems:
        raise UnsupportedCombination("There is no such recipe.", problems=problems)
    return RecipeRequest(
        model=chosen, work=evaluated or how, platform=where, instance_type=instance_type, subtask=subtask
    )


def _check_task(how: TrainingMethod, task: EvaluationTask | None, subtask: str | None) -> None:
    if how.trains and (task is not None or subtask is not None):
        raise BadInputError(
            "--task and --subtask go with --method EVALUATION", received=f"--method {how.name}", do="leave them out"
        )
    if how.trains:
        return
    if task is None:
        allowed = ", ".join(catalog.EVALUATION_TASKS)
        raise BadInputError("--method EVALUATION needs a task", allowed=allowed, do="try --task mmlu")
    if problems := task.problems(subtask=subtask, has_dataset=task.takes_data):
        raise InvalidRequest(problems[0])
