"""The CreateTrainingJob request of a Nova recipe: what the SageMaker SDK sends, with differences written down.

The differences are in docs/oracle-differences.md; a test compares both requests member by member.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from lambda_handlers.jobs.job_options import job_options, mlflow_config, resource_options

RECIPE_CHANNEL_PATH = "/opt/ml/input/data/recipe"
_NO_OPTIONS: Final[Mapping[str, Any]] = MappingProxyType({})


def training_request(
    *,
    image_uri: str,
    role_arn: str,
    instance_type: str,
    instance_count: int,
    volume_size_gb: int,
    max_runtime_seconds: int,
    max_pending_seconds: int | None,
    output_uri: str,
    recipe_prefix_uri: str,
    recipe_file: str,
    recipe: Mapping[str, Any],
    data_uri: str | None,
    data_type: str | None,
    validation_uri: str | None = None,
    kms_key_id: str | None = None,
    options: Mapping[str, Any] = _NO_OPTIONS,
    mlflow: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the body of CreateTrainingJob without the job's name and the tags that every job of ours has.

    `recipe` is the rendered recipe's values; of them, the model and the functions it calls become hyperparameters.
    `max_pending_seconds` is how long to wait for capacity: 1,800 to 2,419,200, and only for accelerated instance types.
    `data_type` is the S3DataType of the data channels: Converse for supervised fine-tuning, S3Prefix otherwise; a
    benchmark evaluation has no `data_uri`. `options` are a platform's settings, of which those of `job_options` count.
    `mlflow` is where the job tracks, as its plan found it: `resource_arn` or `uri`, `experiment` and `run`.
    """
    return {
        "AlgorithmSpecification": {"TrainingImage": image_uri, "TrainingInputMode": "File"},
        "RoleArn": role_arn,
        "InputDataConfig": [
            *_data_channels(data_uri, validation_uri, data_type),
            {**_channel("recipe", recipe_prefix_uri, "S3Prefix"), "InputMode": "File"},
        ],
        "OutputDataConfig": {"S3OutputPath": output_uri} | ({"KmsKeyId": kms_key_id} if kms_key_id else {}),
        "ResourceConfig": {
            "InstanceType": instance_type,
            "InstanceCount": instance_count,
            "VolumeSizeInGB": volume_size_gb,
            **resource_options(options),
        },
        "StoppingCondition": _stopping_condition(max_runtime_seconds, max_pending_seconds),
        "HyperParameters": _hyperparameters(recipe, recipe_file),
        "ProfilerConfig": {"DisableProfiler": True},
        "RemoteDebugConfig": {"EnableRemoteDebug": False},
        **job_options(options, output_uri),
        **mlflow_config(mlflow),
    }


def _data_channels(data_uri: str | None, validation_uri: str | None, data_type: str | None) -> list[dict[str, Any]]:
    uris = {"train": data_uri, "validation": validation_uri}  # the containers know these two names and no others
    return [_channel(name, uri, data_type or "S3Prefix") for name, uri in uris.items() if uri]


def _channel(name: str, uri: str, data_type: str) -> dict[str, Any]:
    source = {"S3DataType": data_type, "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def _stopping_condition(max_runtime_seconds: int, max_pending_seconds: int | None) -> dict[str, int]:
    condition = {"MaxRuntimeInSeconds": max_runtime_seconds}
    if max_pending_seconds is not None:
        condition["MaxPendingTimeInSeconds"] = max_pending_seconds
    return condition


def _hyperparameters(recipe: Mapping[str, Any], recipe_file: str) -> dict[str, str]:
    """Return the plain strings by which the container finds the model, the recipe and the functions that score."""
    run = recipe["run"]
    model_path = str(run["model_name_or_path"])
    parameters = {
        "model_type": str(run["model_type"]),
        "base_model_location" if model_path.startswith("s3://") else "base_model": model_path,
        "sagemaker_recipe_local_path": f"{RECIPE_CHANNEL_PATH}/{recipe_file}",
    }
    processor = recipe.get("processor")
    # An own recipe may have the key with nothing, or something else, below it.
    if isinstance(processor, Mapping) and (scorer := processor.get("lambda_arn")):
        parameters["eval_lambda_arn"] = str(scorer)
    if reward := run.get("reward_lambda_arn"):
        parameters["reward_lambda_arn"] = str(reward)
    return parameters
