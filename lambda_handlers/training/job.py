"""The training job of a run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers import catalog
from lambda_handlers.jobs.choices import instances_of
from lambda_handlers.jobs.pytorch_request import pytorch_request
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
    """Return the request of each planned choice of instances, in their order, on the prepared data.

    It is that of CreateTrainingJob or, on HyperPod, that of a PyTorchJob.
    Every choice has a recipe of its own. That of a further stage, which the payload's `stage` names, is written here:
    as it was planned, with the payload's `checkpoint` to go on from.

    Raises RecipeInvalid if a recipe is not the one that was planned, JobFailed if there is no such checkpoint.
    """
    places = {"role_arn": role_arn, "artifacts_bucket": artifacts_bucket, "key_arn": key_arn}
    planned = event["recipe"]
    choices = [{**event, "recipe": choice} for choice in (planned, *planned["alternatives"])]
    return [
        request_with(choice, recipe=_recipe(s3, choice), payload=_payload(s3, choice["recipe"]), **places)
        for choice in choices
    ]


def contents(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return for each choice of instances, in the order of `requests`, what its request names by its place alone.

    A part is None where it is not known: the rows of a payload without their hash, or the code of a function of one's
    own that the plan could not look at.
    """
    planned, prepared = event["recipe"], event.get("validation") or {}
    functions = planned.get("functions")
    known = {
        "method": event["config"]["method"],
        "data": event.get("train_sha256"),
        "validation": prepared.get("sha256") if prepared.get("rows") else "none",
        "model": (event.get("checkpoint") or {}).get("uri", "as the recipe says"),
        "functions": None if functions is None or None in functions.values() else functions,
    }
    return [{**known, "recipe": choice.get("recipe_identity")} for choice in (planned, *planned["alternatives"])]


def request_with(
    event: Mapping[str, Any],
    *,
    recipe: Mapping[str, Any],
    payload: str,
    role_arn: str,
    artifacts_bucket: str,
    key_arn: str,
) -> dict[str, Any]:
    """Return the request for a recipe's values, on the instances that it was planned for.

    `payload` is the text of the objects of a job on HyperPod.
    """
    planned, settings = event["recipe"], event["config"]["training"]
    output = output_uri(artifacts_bucket, event["run"]["id"])
    if payload:
        return pytorch_request(
            settings=settings,
            instances=instances_of(planned),
            payload=payload,
            recipe=_validated(_on_prepared(recipe, event), event.get("validation")),
            image_uri=planned["image_uri"],
            output_uri=output,
        )
    return training_request(
        image_uri=planned["image_uri"],
        role_arn=role_arn,
        instance_type=planned["instance_type"],
        instance_count=planned["instance_count"],
        volume_size_gb=settings.get("volume_size_gb") or DEFAULT_VOLUME_GB,
        max_runtime_seconds=settings["max_runtime_seconds"],
        max_pending_seconds=settings.get("max_pending_seconds"),
        output_uri=output,
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


def _on_prepared(recipe: Mapping[str, Any], event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a recipe with the places of rows as they are: planned is the run's own folder, taken may be another's."""
    for uri in (event["train_uri"], (event.get("validation") or {}).get("uri")):
        if uri:
            planned = re.sub(r"(?<=/runs/)[^/]+", lambda _: str(event["run"]["id"]), uri, count=1)
            recipe = continuing.replaced(recipe, planned, uri)
    return recipe


def _validated(recipe: Mapping[str, Any], prepared: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return a recipe without the rows for validation that a split by content has left none of."""
    if not prepared or prepared["rows"]:
        return recipe
    without: dict[str, Any] = continuing.replaced(recipe, prepared["uri"], "")
    return without


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
    text = _kept(s3, uri, planned["recipe_sha256"], what="recipe")
    recipe: Mapping[str, Any] = documents.load(text)
    return recipe


def _payload(s3: Any, planned: Mapping[str, Any]) -> str:
    """Return the text of the objects of a job on HyperPod, as they were when the run was planned."""
    if "payload_uri" not in planned:
        return ""
    return _kept(s3, planned["payload_uri"], planned["payload_sha256"], what="HyperPod payload")


def _kept(s3: Any, uri: str, sha256: str, *, what: str) -> str:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        with service_errors():
            text = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except Exception as error:
        if error_code(error) != "NoSuchKey":
            raise
        raise RecipeInvalid(f"The {what} {uri} was removed after the run was planned.") from error
    if hashlib.sha256(text).hexdigest() != sha256:
        raise RecipeInvalid(f"The {what} {uri} was changed after the run was planned: its SHA-256 differs.")
    return str(text.decode())
