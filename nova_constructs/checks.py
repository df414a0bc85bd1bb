"""What can be known to fail at synth is refused at synth, everything in one message."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from aws_cdk import Annotations, Stack, Token
from constructs import Construct

from lambda_handlers import catalog
from lambda_handlers.catalog import Technique, combinations, evaluation_task, instances
from lambda_handlers.catalog.instances import Work
from lambda_handlers.catalog.lookup import UnknownNameError
from lambda_handlers.evaluation.stages import stage_name
from nova_constructs.cost_ceiling import CostCeiling
from nova_constructs.data_format import DataFormat
from nova_constructs.deployment import NoDeployment, OnDemand
from nova_constructs.evaluation import EvaluationTask
from nova_constructs.platforms import TrainingJobs
from nova_constructs.quality_gate import GateCriteria


class ConfigurationError(ValueError):
    """A customization that cannot work; the message names the construct and every problem."""

    def __init__(self, path: str, problems: Sequence[str]) -> None:
        self.path, self.problems = path, tuple(problems)
        listed = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"{path} cannot be synthesized:\n{listed}")


def check_customization(
    scope: Construct,
    *,
    model: str,
    method: str,
    platform: TrainingJobs,
    data: DataFormat,
    evaluation: Sequence[EvaluationTask],
    gate: GateCriteria,
    deployment: OnDemand | NoDeployment,
    reward_function: str | None,
    cost_ceiling: CostCeiling | None,
    overrides: Mapping[str, Any],
) -> None:
    """Raise ConfigurationError for what cannot work; leave a warning for an undocumented instance choice."""
    problems = [
        *combinations.check(model, method, platform.kind, deployment.kind, [task.task for task in evaluation]),
        *_of_method(scope, method, data, reward_function),
        *platform.problems(),
        *data.problems(),
        *_evaluation_problems(evaluation, platform),
        *gate.problems([(task.task, task.subtask) for task in evaluation]),
        *_gate_metric_problems(gate),
        *_cost_problems(cost_ceiling, platform, evaluation),
        *_null_overrides("overrides", overrides),
        *(p for task in evaluation for p in _null_overrides(f"overrides of evaluation {task.task!r}", task.overrides)),
    ]
    if problems:
        raise ConfigurationError(scope.node.path, problems)
    _warn_of_instances(scope, "training", Work.TRAINING, model, method, platform)
    for task in evaluation:
        _warn_of_instances(scope, f"evaluation-{task.task}", Work.EVALUATION, model, "EVALUATION", task.runs_on)


def _cost_problems(
    ceiling: CostCeiling | None, training: TrainingJobs, evaluation: Sequence[EvaluationTask]
) -> Iterable[str]:
    if ceiling:
        jobs = {stage_name({"task": task.task, "subtask": task.subtask}): task.runs_on for task in evaluation}
        yield from ceiling.problems({"training": training, **jobs})


BUILT_METHODS = ("SFT_LORA", "SFT_FULL", "RFT_LORA", "RFT_FULL")
BUILT_TASKS = ("mmlu", "gen_qa")


# A function or a version or alias of it (Lambda API reference, FunctionName).
_FUNCTION_ARN: Final = re.compile(r"arn:[\w-]+:lambda:(?P<region>[a-z0-9-]+):\d{12}:function:[\w-]{1,64}(:[\w$-]+)?")


def _of_method(scope: Construct, name: str, data: DataFormat, reward_function: str | None) -> Iterable[str]:
    try:
        method = catalog.method(name)
    except UnknownNameError:
        return  # already told by the combination check, with the nearest name
    if method.name not in BUILT_METHODS:
        yield f"method {name!r} is not run by this version: use {' or '.join(BUILT_METHODS)}"
        return
    if data.validates and method.technique is not Technique.SFT:
        yield f"split puts rows aside for validation, which {method.name} does not use: give it validation 0"
    if method.technique is Technique.RFT:
        yield from _reward_problems(scope, method.name, reward_function)
    elif reward_function is not None:
        yield f"reward_function is given, which {method.name} does not use: leave it out"


def _reward_problems(scope: Construct, method: str, arn: str | None) -> Iterable[str]:
    if arn is None:
        yield f"{method} needs a reward_function: give the ARN of the Lambda function that scores answers"
        return
    if Token.is_unresolved(arn):
        return
    found, region = _FUNCTION_ARN.fullmatch(arn), Stack.of(scope).region
    if found is None:
        yield (
            f"reward_function is {arn!r}: use the ARN of a Lambda function, such as "
            "arn:aws:lambda:us-east-1:111122223333:function:score-answers"
        )
    elif not Token.is_unresolved(region) and found["region"] != region:
        yield f"reward_function is in {found['region']}, the stack in {region}: use a function of the same Region"


def _null_overrides(where: str, overrides: Mapping[str, Any]) -> Iterable[str]:
    for name, value in overrides.items():
        if value is None:
            yield f"{where}: {name} is null, which would be dropped on the way: give a value, or leave it out"


def _gate_metric_problems(gate: GateCriteria) -> Iterable[str]:
    for criterion in gate.criteria:
        try:
            known = evaluation_task(criterion.task)
        except UnknownNameError:
            continue  # told as a task that is not evaluated
        if known.metric == "all" and not criterion.metric:
            yield f"gate names task {criterion.task!r}, which has several metrics: name one, for instance metric: f1"


def _evaluation_problems(evaluation: Sequence[EvaluationTask], training: TrainingJobs) -> Iterable[str]:
    if not evaluation:
        yield "evaluation has no tasks: give at least one, since nothing is deployed that was not measured"
    seen = set()
    for task in evaluation:
        told = training.problems()  # those of the default platform, which stands in the same VPC
        yield from (f"evaluation {task.task!r}: {found}" for found in task.runs_on.problems() if found not in told)
        if (task.task, task.subtask) in seen:
            yield f"evaluation names task {task.task!r} twice: once is enough"
        seen.add((task.task, task.subtask))
        try:
            known = evaluation_task(task.task)
        except UnknownNameError:
            continue  # already told by the combination check, with the nearest name
        if task.task not in BUILT_TASKS:
            yield f"evaluation task {task.task!r} is not run by this version: use {' or '.join(BUILT_TASKS)}"
        if task.subtask is not None and task.subtask not in known.subtasks:
            allowed = ", ".join(known.subtasks) or "none"
            yield f"evaluation task {task.task!r} has no subtask {task.subtask!r}: use {allowed}"
        if known.takes_data and not task.dataset:
            yield f"evaluation task {task.task!r} needs a dataset: name its key, for instance evaluation/gen_qa.jsonl"
        if not known.takes_data and task.dataset:
            yield f"evaluation task {task.task!r} takes no dataset, got {task.dataset!r}: leave it out"


def _warn_of_instances(
    scope: Construct, subject: str, work: Work, model: str, method: str, platform: TrainingJobs
) -> None:
    found = instances.check(
        work,
        model,
        method,
        platform.kind,
        instance_type=platform.instance_type,
        instance_count=platform.instance_count,
    )
    for number, message in enumerate(found):
        Annotations.of(scope).add_warning_v2(f"nova-constructs:instances-{subject}-{number}", message)
