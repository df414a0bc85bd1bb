"""What can be known to fail at synth is refused at synth, everything in one message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from aws_cdk import Annotations, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from lambda_handlers import catalog
from lambda_handlers.catalog import Technique, combinations, instances
from lambda_handlers.catalog.instances import Work
from lambda_handlers.catalog.lookup import UnknownNameError
from lambda_handlers.evaluation.gate.criteria import Criterion
from lambda_handlers.inference.stages import TASK
from lambda_handlers.planning.account_checks import jobs_of
from lambda_handlers.planning.modes import BATCH_INFERENCE, FULL
from lambda_handlers.training.stages import TRAINING, training_stage
from nova_constructs.approval import Approval
from nova_constructs.batch_inference import BatchInference
from nova_constructs.cluster_checks import cluster_problems
from nova_constructs.cost_ceiling import CostCeiling
from nova_constructs.data_format import DataFormat
from nova_constructs.deployment_checks import deployment_problems, warn_of_deployment
from nova_constructs.deployment_targets import DeploymentTarget
from nova_constructs.evaluation import baselines_of
from nova_constructs.evaluation_checks import evaluation_problems
from nova_constructs.evaluation_task import EvaluationTask
from nova_constructs.execution_role import role_problems
from nova_constructs.function_arn import function_problems
from nova_constructs.gate_checks import gate_problems
from nova_constructs.hyperpod import Runtime, on_training_jobs
from nova_constructs.notifications import Notifications
from nova_constructs.quality_gate import QualityGate
from nova_constructs.run_rules import RunRules
from nova_constructs.training_stage import TrainingStage


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
    platform: Runtime,
    data: DataFormat,
    evaluation: Sequence[EvaluationTask],
    gate: QualityGate,
    deployment: DeploymentTarget,
    reward_function: str | None,
    cost_ceiling: CostCeiling | None,
    overrides: Mapping[str, Any],
    further_training: Sequence[TrainingStage] = (),
    batch_inference: BatchInference | None = None,
    execution_role: iam.IRole | str | None = None,
    approval: Approval | None = None,
    import_role: iam.IRole | str | None = None,
    rules: RunRules | None = None,
    notifications: Notifications | None = None,
) -> None:
    """Raise ConfigurationError for what cannot work; leave a warning for an undocumented instance choice."""
    tasks = [*(task.task for task in evaluation), *([TASK] if batch_inference else [])]
    problems = [
        *combinations.check(model, method, platform.kind, deployment.kind, tasks),
        *_of_method(scope, method, data, reward_function),
        *platform.problems(),
        *cluster_problems(
            scope,
            {
                TRAINING: (platform, method),
                **{training_stage(s.name): (s.runs_on, s.trains_by) for s in further_training},
            },
            {f"evaluation {task.name!r}": task.runs_on for task in evaluation} | _in_whole_runs(batch_inference),
            execution_role=execution_role,
        ),
        *data.problems(),
        *evaluation_problems(scope, evaluation, method=method, training=platform, data=data),
        *gate_problems(gate, evaluation),
        *role_problems(scope, execution_role),
        *deployment_problems(scope, deployment, import_role),
        *_approval_problems(approval, deployment),
        *_notification_problems(scope, notifications),
        *(rules or RunRules()).problems(platform, deployment, approval.deadline if approval else None),
        *_tracking_problems(evaluation),
        *_further_problems(scope, model, method, platform, further_training),
        *_inference_problems(model, platform, batch_inference),
        *_cost_problems(cost_ceiling, method, platform, further_training, evaluation, gate, batch_inference),
        *_null_overrides("overrides", overrides),
        *(p for task in evaluation for p in _null_overrides(f"overrides of evaluation {task.task!r}", task.overrides)),
    ]
    if problems:
        raise ConfigurationError(scope.node.path, problems)
    warn_of_deployment(scope, deployment)
    _warn_of_instances(scope, "training", Work.TRAINING, model, method, platform)
    for stage in further_training:
        _warn_of_instances(scope, training_stage(stage.name), Work.TRAINING, model, stage.trains_by, stage.runs_on)
    for task in evaluation:
        _warn_of_instances(scope, f"evaluation-{task.task}", Work.EVALUATION, model, "EVALUATION", task.runs_on)
    if batch_inference and not batch_inference.by_bedrock:
        on = batch_inference.runs_on
        _warn_of_instances(scope, "batch-inference", Work.EVALUATION, model, "EVALUATION", on)


def _in_whole_runs(inference: BatchInference | None) -> dict[str, Runtime]:
    """Return where batch inference asks the model just trained; in a run of its own it may ask any."""
    return (
        {"batch_inference": inference.runs_on} if inference and inference.dataset and not inference.by_bedrock else {}
    )


def _tracking_problems(evaluation: Sequence[EvaluationTask]) -> Iterable[str]:
    for task in evaluation:
        if any(platform.mlflow for platform in on_training_jobs([task.runs_on])):
            yield f"the platform of evaluation {task.task!r} has mlflow, which tracks training alone: leave it out"


def _notification_problems(scope: Construct, notifications: Notifications | None) -> Iterable[str]:
    if notifications:
        yield from notifications.problems()
        yield from notifications.problems_in(Stack.of(scope).region)


def _approval_problems(approval: Approval | None, deployment: DeploymentTarget) -> Iterable[str]:
    if approval is None:
        return
    yield from approval.problems()
    if deployment.kind is None:
        yield "approval is given, but nothing is deployed: leave it out, or give a deployment"


def _inference_problems(model: str, training: Runtime, inference: BatchInference | None) -> Iterable[str]:
    if inference is None:
        return
    told = training.problems()  # those of the default platform, which stands in the same VPC
    known = [catalog.model(model)] if model in catalog.MODELS else []
    of_model = [problem for each in known for problem in inference.problems_with(each)]
    found = [*inference.problems(), *of_model, *_null_overrides("overrides", inference.overrides)]
    yield from (f"batch_inference: {problem}" for problem in found if problem not in told)


def _cost_problems(
    ceiling: CostCeiling | None,
    method: str,
    training: Runtime,
    further: Sequence[TrainingStage],
    evaluation: Sequence[EvaluationTask],
    gate: QualityGate,
    inference: BatchInference | None,
) -> Iterable[str]:
    if ceiling is None:
        return
    # What is no criterion is told by the check of the gate.
    known = replace(gate, criteria=[each for each in gate.criteria if isinstance(each, Criterion)])
    compared = [(task, {"baseline": model}) for task, model in baselines_of(evaluation, known)]
    config: dict[str, Any] = {
        "method": method,
        "training": training.config(),
        "further_training": [
            {"name": stage.name, "method": stage.trains_by, "training": stage.runs_on.config()} for stage in further
        ],
        "evaluation": [
            {"task": task.task, "subtask": task.subtask, **more, **task.runs_on.config()}
            for task, more in (*((task, {}) for task in evaluation), *compared)
        ],
    }
    if inference and inference.by_bedrock:
        yield (
            "batch_inference goes through bedrock, which bills by token, so that cost_ceiling cannot bound it: use "
            "through training_job, or leave cost_ceiling out"
        )
    elif inference:
        config["batch_inference"] = {"dataset_uri": inference.dataset, **inference.runs_on.config()}
    for mode in (FULL, BATCH_INFERENCE):
        yield from ceiling.problems(dict(jobs_of(config, mode)))


def _of_method(scope: Construct, name: str, data: DataFormat, reward_function: str | None) -> Iterable[str]:
    try:
        method = catalog.method(name)
    except UnknownNameError:
        return  # already told by the combination check, with the nearest name
    if not method.trains:
        yield f"method {name!r} makes no model: use a method that trains, and evaluate by the evaluation tasks"
        return
    if data.validates and method.technique is Technique.RFT:
        yield f"split puts rows aside for validation, which {method.name} does not use: give it validation 0"
    found = method.function_problems(has_reward=reward_function is not None)
    yield from found
    if reward_function is not None and not found:
        yield from function_problems(scope, "reward_function", reward_function)


def _further_problems(
    scope: Construct, model: str, method: str, platform: Runtime, stages: Sequence[TrainingStage]
) -> Iterable[str]:
    names = [stage.name for stage in stages]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield f"further_training has {names.count(name)} stages named {name!r}: give each a name of its own"
    told = {*combinations.check(model, method, platform.kind), *platform.problems()}
    for stage in stages:
        found = [
            *stage.problems(),
            *combinations.check(model, stage.trains_by, platform.kind),
            *_goes_on(method, platform, stage),
            *_of_method(scope, stage.trains_by, stage.data, stage.reward_arn),
            *stage.runs_on.problems(),
            *stage.data.problems(),
            *_null_overrides("overrides", stage.overrides),
        ]
        yield from (f"further_training {stage.name!r}: {problem}" for problem in found if problem not in told)


def _goes_on(method: str, platform: Runtime, stage: TrainingStage) -> Iterable[str]:
    """Yield why a checkpoint of the customization's method and platform is none that the stage can go on from."""
    try:
        before, after = catalog.method(method), catalog.method(stage.trains_by)
    except UnknownNameError:
        return  # told by the combination check, with the nearest name
    if before.full_rank != after.full_rank:
        ranks = {True: "at full rank", False: "by LoRA"}
        yield (
            f"method {after.name} trains {ranks[after.full_rank]}, and {before.name}, which the customization begins "
            f"with, {ranks[before.full_rank]}: all stages need the same rank"
        )
    if stage.runs_on.kind != platform.kind:
        yield (
            f"platform is {stage.runs_on.kind}, and that of the customization {platform.kind}: all stages need "
            "the same platform"
        )


def _null_overrides(where: str, overrides: Mapping[str, Any]) -> Iterable[str]:
    for name, value in overrides.items():
        if value is None:
            yield f"{where}: {name} is null, which would be dropped on the way: give a value, or leave it out"


def _warn_of_instances(scope: Construct, subject: str, work: Work, model: str, method: str, platform: Runtime) -> None:
    found = [
        message
        for choice in platform.choices
        for message in instances.check(
            work,
            model,
            method,
            platform.kind,
            instance_type=choice.instance_type,
            instance_count=choice.instance_count,
        )
    ]
    for number, message in enumerate(found):
        Annotations.of(scope).add_warning_v2(f"nova-constructs:instances-{subject}-{number}", message)
