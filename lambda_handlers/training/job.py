"""The training job of a run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers import catalog
from lambda_handlers.jobs.training_request import training_request
from lambda_handlers.protocol.errors import RecipeInvalid, error_code, service_errors
from lambda_handlers.recipes import documents
from lambda_handlers.training import continuing
from lambda_handlers.training.stages import training_stage

DEFAULT_VOLUME_GB: Final = 30
"""What the SageMaker SDK asks for; instances with local storage ignore it."""


def requests(
    event: Mapping[str, Any], *, s3: Any, role_arn: str, artifacts_bucket: str, key_arn: str
) -> list[dict[str, Any]]:
    """Return the CreateTrainingJob request of each planned choice of instances, in their order, on the prepared data.

    Every choice has a recipe of its own. That of a further stage, which the payload's `stage` names, is written here:
    as it was planned, with the payload's `checkpoint` to go on from.

    Raises RecipeInvalid if a recipe is not the one that was planned, JobFailed if there is no such checkpoint.
    """
    places = {"role_arn": role_arn, "artifacts_bucket": artifacts_bucket, "key_arn": key_arn}
    planned = event["recipe"]
    choices = [{**event, "recipe": choice} for choice in (planned, *planned["alternatives"])]
    return [request_with(choice, recipe=_recipe(s3, choice), **places) for choice in choices]


def request_with(
    event: Mapping[str, Any], *, recipe: Mapping[str, Any], role_arn: str, artifacts_bucket: str, key_arn: str
) -> dict[str, Any]:
    """Return the CreateTrainingJob request for a recipe's values, on the instances that it was planned for."""
    planned, settings = event["recipe"], event["config"]["training"]
    return training_request(
        image_uri=planned["image_uri"],
        role_arn=role_arn,
        instance_type=planned["instance_type"],
        instance_count=planned["instance_count"],
        volume_size_gb=settings.get("volume_size_gb") or DEFAULT_VOLUME_GB,
        max_runtime_seconds=settings["max_runtime_seconds"],
        max_pending_seconds=settings.get("max_pending_seconds"),
        output_uri=output_uri(artifacts_bucket, event["run"]["id"]),
        recipe_prefix_uri=planned["recipe_prefix_uri"],
        recipe_file=planned["recipe_file"],
        recipe=recipe,
        data_uri=event["train_uri"],
        validation_uri=_validation_uri(event.get("validation")),
        data_type=catalog.method(event["config"]["method"]).data_type,
        kms_key_id=key_arn,
        options=settings,
        mlflow=planned.get("mlflow"),
    )


def _validation_uri(prepared: Mapping[str, Any] | None) -> str | None:
    # A split by content may leave no row for validation, and the container takes no empty channel.
    return str(prepared["uri"]) if prepared and prepared["rows"] else None


def output_uri(artifacts_bucket: str, run_id: str) -> str:
    """Return where the jobs of a run write."""
    return f"s3://{artifacts_bucket}/runs/{run_id}/jobs"


def _recipe(s3: Any, event: Mapping[str, Any]) -> Mapping[str, Any]:
    planned = event["recipe"]
    uri = f"{planned['recipe_prefix_uri']}{planned['recipe_file']}"
    if not event.get("stage"):
        return _planned_recipe(s3, planned, uri)
    recipe = _planned_recipe(s3, planned, planned["planned_recipe_uri"])
    recipe = continuing.finished(recipe, event.get("checkpoint"), stage=training_stage(event["stage"]))
    continuing.store(s3, recipe, uri)
    return recipe


def _planned_recipe(s3: Any, planned: Mapping[str, Any], uri: str) -> Mapping[str, Any]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        with service_errors():
            text = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except Exception as error:
        if error_code(error) != "NoSuchKey":
            raise
        raise RecipeInvalid(f"The recipe {uri} was removed after the run was planned.") from error
    if hashlib.sha256(text).hexdigest() != planned["recipe_sha256"]:
        raise RecipeInvalid(f"The recipe {uri} was changed after the run was planned: its SHA-256 differs.")
    recipe: Mapping[str, Any] = documents.load(text.decode())
    return recipe
