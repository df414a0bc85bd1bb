"""The values that the workflow itself supplies to a recipe, before any override."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_handlers.catalog.evaluations import EvaluationTask
from lambda_handlers.catalog.methods import TrainingMethod
from lambda_handlers.catalog.models import NovaModel


def training_arguments(
    *,
    model: NovaModel,
    name: str,
    replicas: int,
    data_uri: str,
    output_uri: str,
    model_path: str | None = None,
    reward_lambda_arn: str | None = None,
    validation_uri: str | None = None,
) -> Mapping[str, Any]:
    """Return the arguments of a training recipe.

    `model_path` is the S3 URI of a checkpoint to continue from, by default the model as Amazon publishes it; `replicas`
    is the instance count.
    """
    return {
        "name": name,
        "model_type": model.model_type,
        "model_name_or_path": model_path or model.model_path,
        "replicas": replicas,
        "data_s3_path": data_uri,
        "output_s3_path": output_uri,
        "reward_lambda_arn": reward_lambda_arn,
        "validation_s3_path": validation_uri,
    }


def evaluation_arguments(
    *,
    model: NovaModel,
    task: EvaluationTask,
    name: str,
    model_path: str,
    subtask: str | None = None,
    replicas: int = 1,
    data_uri: str = "",
    output_uri: str = "",
    reward_lambda_arn: str | None = None,
    processor: Mapping[str, Any] | None = None,
) -> Mapping[str, Any]:
    """Return the arguments of an evaluation recipe.

    `model_path` is the S3 URI of a checkpoint or the model's published path. On training jobs `data_uri` and
    `output_uri` stay empty, never null: data comes through the job's channel (AWS documentation); on HyperPod the
    recipe alone says where data is and where results go. `processor` is the
    function that scores answers to questions of one's own: `function_arn`, `lambda_type`, `preprocessing`,
    `postprocessing` and `aggregation`.
    """
    scoring = processor or {}
    return {
        "name": name,
        "model_type": model.model_type,
        "model_name_or_path": model_path,
        "replicas": replicas,
        "data_s3_path": data_uri,
        "output_s3_path": output_uri,
        "task": task.name,
        "strategy": task.strategy,
        "metric": task.metric,
        "subtask": subtask,
        "reward_lambda_arn": reward_lambda_arn,
        "lambda_arn": scoring.get("function_arn"),
        "lambda_type": scoring.get("lambda_type"),
        "preprocessing.enabled": scoring.get("preprocessing"),
        "postprocessing.enabled": scoring.get("postprocessing"),
        "aggregation": scoring.get("aggregation"),
    }


def mlflow_arguments(tracking: Mapping[str, str] | None) -> Mapping[str, Any]:
    """Return the arguments by which a recipe tracks in MLflow, or none; templates that cannot leave them out."""
    if tracking is None:
        return {}
    return {
        "mlflow_tracking_uri": tracking.get("resource_arn") or tracking.get("uri"),
        "mlflow_experiment_name": tracking.get("experiment"),
        "mlflow_run_name": tracking.get("run"),
    }


def arguments_before_a_run(
    *,
    model: NovaModel,
    work: TrainingMethod | EvaluationTask,
    spec: Mapping[str, Mapping[str, Any]],
    subtask: str | None = None,
) -> Mapping[str, Any]:
    """Return the arguments of a recipe that no run uses yet: what the model and the task say, and nothing else.

    What only a run knows keeps the template's default; where the spec declares a text without one, it is empty.
    """
    known: dict[str, Any] = {"model_type": model.model_type}
    if isinstance(work, EvaluationTask):
        known |= {"task": work.name, "strategy": work.strategy, "metric": work.metric, "subtask": subtask}
    blank = [name for name, entry in spec.items() if "default" not in entry and entry.get("type") in ("string", "str")]
    return dict.fromkeys(blank, "") | {name: value for name, value in known.items() if value is not None}
