"""What the live SDK and our renderer are both asked for: every public recipe of training jobs, in many uses.

Ours is rendered from a form of the hub's; the SDK gets the public recipe, and what a run and a user put into it as its
`recipe_overrides`. So neither side sees what the other made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lambda_handlers.catalog import EVALUATION_TASKS, MODELS, EvaluationTask, TrainingMethod, combinations
from lambda_handlers.jobs.training_request import training_request
from lambda_handlers.recipes import Recipe, evaluation_arguments, mlflow_arguments, render, training_arguments
from lambda_handlers.recipes.template import leaves
from tests.recipes import public_recipes
from tests.recipes.oracle_support import CHECKPOINT, KEY, OUTPUT, RECIPE_PREFIX, ROLE, SCORER
from tests.recipes.public_recipes import ON_TRAINING_JOBS, PUBLIC

DATA, VALIDATION, NAME = "s3://my-data/train.jsonl", "s3://my-data/validation.jsonl", "demo"
LIMIT, VOLUME = 36 * 3600, 200
OPTIONS: Mapping[str, Any] = {
    "vpc": {"subnets": ["subnet-0a"], "security_groups": ["sg-0a"]},
    "encrypt_traffic": True,
    "environment": {"NCCL_DEBUG": "INFO"},
    "tags": {"team": "support"},
    "volume_key_arn": KEY,
    "keep_alive_seconds": 1800,
    "tensorboard": True,
}
MLFLOW = {
    "resource_arn": "arn:aws:sagemaker:us-east-1:111122223333:mlflow-app/app-1",
    "experiment": "support",
    "run": "first",
}
PROCESSOR = {"lambda_type": "custom_metrics", "preprocessing": True, "postprocessing": False, "aggregation": "max"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """Say which recipe is used, on what, and what a run, a user and a platform put into the job.

    `overrides` are by dotted path. With `everything`, the platform's every option is on;
    `tracked` jobs write to MLflow.
    """

    recipe: str
    work: TrainingMethod | EvaluationTask
    instance_type: str
    instance_count: int = 1
    model_path: str | None = None
    subtask: str | None = None
    function: str | None = None
    validation: bool = False
    overrides: Mapping[str, Any] = field(default_factory=dict)
    everything: bool = False
    tracked: bool = False

    @property
    def model(self) -> Any:
        return MODELS[PUBLIC["recipes"][self.recipe]["model"]]

    @property
    def has_data(self) -> bool:
        return isinstance(self.work, TrainingMethod) or self.work.takes_data

    @property
    def data_type(self) -> str:
        return self.work.data_type if isinstance(self.work, TrainingMethod) else "S3Prefix"


def cases() -> dict[str, Case]:
    """Return every case by a name that tells what it is."""
    return {f"{name}: {use}": case for name in ON_TRAINING_JOBS for use, case in _uses(name)}


def _uses(name: str) -> Iterator[tuple[str, Case]]:
    work, found = public_recipes.work(name), public_recipes.found(name)
    first = found.entry.instance_types[0]
    # An evaluation by rewards has no default for its function.
    function = SCORER if PUBLIC["recipes"][name]["family"] == "reward" else None

    def case(**changes: Any) -> Case:
        return Case(**{"recipe": name, "work": work, "instance_type": first, "function": function, **changes})

    for instance_type in found.entry.instance_types:
        yield f"on {instance_type}", case(instance_type=instance_type, instance_count=4)
    yield "of a checkpoint", case(model_path=CHECKPOINT)
    yield "with every option", case(everything=True, validation=isinstance(work, TrainingMethod))
    for bound in ("lowest", "highest"):
        yield f"with the {bound} values", case(overrides=_bounds(name, bound))
    if "run.mlflow_tracking_uri" in public_recipes.values(name):
        yield "tracked in MLflow", case(tracked=True)
    if found.template.spec.keys() & {"reward_lambda_arn", "lambda_arn"}:
        yield "with a function", case(function=SCORER)
    if isinstance(work, EvaluationTask):
        yield from _tasks(work, case)


def _tasks(work: EvaluationTask, case: Any) -> Iterator[tuple[str, Case]]:
    for task in EVALUATION_TASKS.values():
        if task.recipe_kind is work.recipe_kind and not combinations.check(
            case().model.name, "EVALUATION", "SMTJ", None, [task.name]
        ):
            for subtask in (None, *task.subtasks[:1]):
                yield f"task {task.name}/{subtask}", case(work=task, subtask=subtask)


def _bounds(name: str, bound: str) -> dict[str, Any]:
    """Return for each value that a user may set the lowest or the highest that the hub allows."""
    template, spec = public_recipes.found(name).template
    low = bound == "lowest"
    found = {}
    for leaf in leaves(template):
        entry = spec.get(leaf.placeholder or "", {})
        numbers = {"integer": int, "float": float}.get(str(entry.get("type")))
        if entry.get("type") == "boolean":
            found[leaf.dotted] = low
        elif numbers and leaf.key != "replicas" and (limits := _limits(entry)):
            found[leaf.dotted] = numbers(limits[0] if low else limits[-1])
    return found


def _limits(entry: Mapping[str, Any]) -> list[Any]:
    return entry.get("enum") or [entry[key] for key in ("min", "max") if key in entry]


def rendered(case: Case) -> Recipe:
    """Return the recipe that the workflow makes for a case."""
    template, spec = public_recipes.found(case.recipe, case.work, case.instance_type).template
    arguments = {**_arguments(case), **mlflow_arguments(MLFLOW if case.tracked else None)}
    return render(template, spec, arguments, case.overrides)


def _arguments(case: Case) -> Mapping[str, Any]:
    if isinstance(case.work, TrainingMethod):
        return training_arguments(
            model=case.model,
            name=NAME,
            replicas=case.instance_count,
            data_uri=DATA,
            output_uri=OUTPUT,
            model_path=case.model_path,
            reward_lambda_arn=case.function,
        )
    return evaluation_arguments(
        model=case.model,
        task=case.work,
        name=NAME,
        replicas=case.instance_count,
        model_path=case.model_path or case.model.model_path,
        subtask=case.subtask,
        reward_lambda_arn=case.function,
        processor=PROCESSOR | {"function_arn": case.function} if case.function else None,
    )


def body(case: Case, recipe: Recipe) -> dict[str, Any]:
    """Return the body of our request."""
    return training_request(
        image_uri=public_recipes.found(case.recipe, case.work, case.instance_type).entry.image_uri,
        role_arn=ROLE,
        instance_type=case.instance_type,
        instance_count=case.instance_count,
        volume_size_gb=VOLUME if case.everything else 30,
        max_runtime_seconds=LIMIT if case.everything else 86400,
        max_pending_seconds=7200,
        output_uri=OUTPUT,
        recipe_prefix_uri=RECIPE_PREFIX,
        recipe_file="recipe.yaml",
        recipe=recipe.values,
        data_uri=DATA if case.has_data else None,
        data_type=case.data_type,
        validation_uri=VALIDATION if case.validation else None,
        kms_key_id=KEY,
        options=OPTIONS if case.everything else {},
        mlflow=MLFLOW if case.tracked else None,
    )


def for_the_sdk(case: Case) -> dict[str, Any]:
    """Return what tests/oracle/sdk_requests.py is asked for."""
    public = public_recipes.values(case.recipe)
    said = {path: value for path, value in _said(case).items() if path in public and value is not None}
    channels = {"train": case.has_data and DATA, "validation": case.validation and VALIDATION}
    return {
        "recipe": public_recipes.nested(public),
        "arguments": {
            "recipe_overrides": public_recipes.nested({**said, **case.overrides}),
            "image_uri": public_recipes.image(case.recipe),
            "role": ROLE,
            "instance_type": case.instance_type,
            "output_path": OUTPUT,
            **(_sdk_options() if case.everything else {}),
        },
        "channels": {name: {"s3_data": uri, "s3_data_type": case.data_type} for name, uri in channels.items() if uri},
    }


def _said(case: Case) -> dict[str, Any]:
    """Return what the run says, by the paths of the public recipes; null where it says nothing."""
    training = isinstance(case.work, TrainingMethod)
    found = {
        "run.name": NAME,
        "run.replicas": case.instance_count,
        "run.model_name_or_path": case.model_path,
        "run.data_s3_path": DATA if training else "",
        "run.output_s3_path": OUTPUT if training else "",
        "run.reward_lambda_arn": case.function,
        "training_config.rollout.rewards.api_endpoint.lambda_arn": case.function,
        "rl_env.reward_lambda_arn": case.function,
    }
    if case.tracked:
        found["run.mlflow_tracking_uri"] = MLFLOW["resource_arn"]
        found |= {f"run.mlflow_{key}_name": MLFLOW[key] for key in ("experiment", "run")}
    if case.function:
        found |= {
            "processor.lambda_arn": case.function,
            "processor.lambda_type": "custom_metrics",
            "processor.preprocessing.enabled": True,
            "processor.postprocessing.enabled": False,
            "processor.aggregation": "max",
        }
    if isinstance(case.work, EvaluationTask):
        names = {"task": case.work.name, "strategy": case.work.strategy, "metric": case.work.metric}
        found |= {f"evaluation.{key}": value for key, value in {**names, "subtask": case.subtask}.items()}
    return found


def _sdk_options() -> dict[str, Any]:
    return {
        "max_run": LIMIT,
        "volume_size": VOLUME,
        "volume_kms_key": KEY,
        "output_kms_key": KEY,
        "subnets": OPTIONS["vpc"]["subnets"],
        "security_group_ids": OPTIONS["vpc"]["security_groups"],
        "encrypt_inter_container_traffic": True,
        "environment": OPTIONS["environment"],
        "tags": [{"Key": key, "Value": value} for key, value in OPTIONS["tags"].items()],
        "keep_alive_period_in_seconds": OPTIONS["keep_alive_seconds"],
        "tensorboard_output_config": {"local_path": "/opt/ml/output/tensorboard", "s3_output_path": OUTPUT},
    }
