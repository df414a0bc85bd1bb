"""The job that evaluates a run's checkpoint by one task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_handlers import catalog
from lambda_handlers.evaluation.stages import stage_name
from lambda_handlers.jobs.choices import choice_folder, choices_of, instances_of
from lambda_handlers.jobs.pytorch_request import request_of_recipe
from lambda_handlers.jobs.training_request import training_request
from lambda_handlers.protocol.errors import service_errors
from lambda_handlers.training.job import DEFAULT_VOLUME_GB, output_uri
from lambda_handlers.training.recipe import RECIPE_FILE, Locations, Recipes, ResolvedRecipe


def requests(
    event: Mapping[str, Any],
    *,
    s3: Any,
    sagemaker: Any,
    role_arn: str,
    artifacts_bucket: str,
    slug: str,
    key_arn: str,
    stage: str | None = None,
) -> list[dict[str, Any]]:
    """Write the recipe of an evaluation for each choice of instances and return its requests.

    They are those of CreateTrainingJob or, on HyperPod, those of PyTorchJobs. The payload has `run`, `task`, `config`,
    `subject` (`model_path`: a checkpoint, or the model as Amazon publishes it) and, for data of one's own, `set`, the
    rows as they were frozen for this run. Its optional `hub_content_version` pins the hub content that the run was
    planned with. `stage` is by default that of the evaluation.
    """
    settings, run_id = event["task"], event["run"]["id"]
    recipes = Recipes(
        sagemaker=sagemaker,
        s3=s3,
        model=catalog.model(event["config"]["model"]),
        content_version=event.get("hub_content_version"),
    )
    made, data_uri = [], (event.get("set") or {}).get("uri")
    output = output_uri(artifacts_bucket, run_id)
    for index, choice in enumerate(choices_of(settings)):
        resolved = recipes.evaluation(
            settings=choice,
            name=slug,
            model_path=event["subject"]["model_path"],
            locations=Locations(data_uri=data_uri or "", output_uri=output),
        )
        folder = f"runs/{run_id}/{choice_folder(stage or stage_name(settings), index)}/recipe"
        text = resolved.recipe.yaml_text.encode()
        with service_errors():
            s3.put_object(Bucket=artifacts_bucket, Key=f"{folder}/{RECIPE_FILE}", Body=text)
        places = {
            "recipe_prefix_uri": f"s3://{artifacts_bucket}/{folder}/",
            "output_uri": output,
            "role_arn": role_arn,
            "kms_key_id": key_arn,
        }
        made.append(request_with(choice, resolved, places, data_uri=data_uri))
    return made


def request_with(
    settings: Mapping[str, Any], resolved: ResolvedRecipe, places: Mapping[str, str], *, data_uri: str | None
) -> dict[str, Any]:
    """Return the request for a recipe, on one choice of instances.

    `places` are `recipe_prefix_uri`, `output_uri`, `role_arn` and `kms_key_id`.
    """
    if resolved.payload:
        return request_of_recipe(settings, resolved, places["output_uri"])
    chosen = instances_of(settings)
    return training_request(
        image_uri=resolved.image_uri,
        instance_type=chosen.type,
        instance_count=chosen.count,
        volume_size_gb=settings.get("volume_size_gb") or DEFAULT_VOLUME_GB,
        max_runtime_seconds=settings["max_runtime_seconds"],
        max_pending_seconds=settings.get("max_pending_seconds"),
        recipe_file=RECIPE_FILE,
        recipe=resolved.recipe.values,
        # Benchmarks bring their data: a train channel would make their container fail.
        data_uri=data_uri,
        data_type="S3Prefix",
        options=settings,
        mlflow=None,  # training alone is tracked
        **places,
    )
