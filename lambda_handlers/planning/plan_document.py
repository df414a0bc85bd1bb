"""The plan as it travels in the state of a run, and the fingerprint of what determines the run's result."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from lambda_handlers.checks.function import functions_called
from lambda_handlers.inference.stages import BATCH_INFERENCE
from lambda_handlers.jobs.choices import choice_folder, choices_of
from lambda_handlers.planning.further_training import further_stages
from lambda_handlers.planning.places import Places
from lambda_handlers.planning.run_checks import Checked
from lambda_handlers.planning.training_checks import TRAINING
from lambda_handlers.protocol.fingerprint import fingerprint
from lambda_handlers.protocol.names import sha256
from lambda_handlers.training.continuing import planned_folder
from lambda_handlers.training.recipe import PAYLOAD_FILE, RECIPE_FILE, ResolvedRecipe
from lambda_handlers.training.stages import training_stage

_NO_INPUT: Final = ("code_version", "cost_ceiling", "concurrency", "queue_deadline_seconds")
"""Settings beside what determines a result: the code has a place of its own, cost and waiting change nothing of it."""


def plan_document(
    checked: Checked, config: Mapping[str, Any], places: Places, run_id: str, *, decision: str, reason: str | None
) -> dict[str, Any]:
    """Return the plan of a run.

    `evaluation_sets` has what each task with a set of one's own will be asked, as it is now, by task.
    `training` is None in a run that trains nothing, `model` in one that evaluates what it trains, `batch_inference` in
    one that has none, `origin` in one that deploys what it trains, `deployment` in one that deploys nothing.
    """
    asked = checked.asked
    own = asked.recipe
    return {
        "decision": decision,
        "reason": reason,
        "mode": checked.mode.name,
        "dataset": checked.dataset.as_dict() if checked.dataset else None,
        "force": asked.force,
        "own_recipe": own if own is None or isinstance(own, str) else "given in the input",
        "overrides": dict(checked.overrides),
        "warnings": list(checked.warnings),
        "start": checked.start.as_dict(),
        "model": checked.model.as_dict() if checked.model else None,
        "cost": dict(checked.cost),
        "hub": _hub(checked, places, run_id),
        "training": _training(checked, config, places, run_id),
        "further_training": _further_training(checked, config, places, run_id),
        "evaluation_sets": {task: asdict(each) for task, each in checked.evaluation_sets.items()},
        "batch_inference": _batch_inference(checked),
        "origin": dict(checked.origin) if checked.origin else None,
        "resume": asked.resume,
        "deployment": _deployment(checked, config),
    }


def fingerprint_of(checked: Checked, config: Mapping[str, Any]) -> str:
    """Return the fingerprint: dataset, evaluation sets, recipes, hub content, settings, code and mode.

    The model that the run is about, its checkpoint, is in the recipes.
    """
    recipes = {**checked.training, **checked.further_training, **checked.evaluation, **checked.inference}
    settings = {key: value for key, value in config.items() if key not in _NO_INPUT}
    return fingerprint(
        dataset_sha256=_data_sha256(checked),
        recipe_sha256=sha256({stage: recipe.identity for stage, recipe in recipes.items()}),
        hub_content_version=checked.recipes.content.version if checked.recipes else "",
        config={**settings, "mode": checked.mode.name, **_place(checked), **_deployed(checked)},
        code_version=config["code_version"],
    )


def _deployed(checked: Checked) -> dict[str, str]:
    """Return the model that a run without recipes is about."""
    return {"deployed": checked.model.model_path} if checked.model and checked.origin else {}


def _deployment(checked: Checked, config: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return how the run deploys; the name is None where each run has its own."""
    settings = config.get("deployment")
    if not settings or not checked.mode.deploys:
        return None
    return {name: settings.get(name) for name in ("target", "mode", "name")}


def _place(checked: Checked) -> dict[str, str]:
    """Return the place of results where the input names one: answers that go elsewhere are asked for again."""
    return {"output": str(checked.output_uri)} if checked.asked.output else {}


def _batch_inference(checked: Checked) -> dict[str, Any] | None:
    if checked.inference_dataset is None:
        return None
    return {"dataset": checked.inference_dataset.as_dict(), "output_uri": checked.output_uri}


def _hub(checked: Checked, places: Places, run_id: str) -> dict[str, Any]:
    if checked.recipes is None:
        return {"content_version": None, "content_arn": None, "snapshot_uri": None}
    content = checked.recipes.content
    return {
        "content_version": content.version,
        "content_arn": content.arn,
        "snapshot_uri": places.hub_uri(run_id),
    }


def _training(checked: Checked, config: Mapping[str, Any], places: Places, run_id: str) -> dict[str, Any] | None:
    if TRAINING not in checked.training:
        return None
    choices = planned_choices(checked.training, config["training"], places, run_id, TRAINING)
    return _planned(checked, choices, config["training"])


def _data_sha256(checked: Checked) -> str:
    first = checked.dataset.sha256 if checked.dataset else ""
    further = {name: dataset.sha256 for name, dataset in checked.further_datasets.items()}
    if checked.inference_dataset and checked.inference_dataset is not checked.dataset:
        further[BATCH_INFERENCE] = checked.inference_dataset.sha256
    sets = {task: each.sha256 for task, each in checked.evaluation_sets.items()}
    return sha256([first, further, sets]) if further or sets else first


def _further_training(
    checked: Checked, config: Mapping[str, Any], places: Places, run_id: str
) -> dict[str, dict[str, Any]]:
    """Return for each further stage its dataset and, in a run that trains, what `training` has for the first."""
    return {
        stage["name"]: {
            "dataset": checked.further_datasets[stage["name"]].as_dict(),
            **_further_jobs(checked, stage, places, run_id),
        }
        for stage in further_stages(config)
        if stage["name"] in checked.further_datasets
    }


def _further_jobs(checked: Checked, stage: Mapping[str, Any], places: Places, run_id: str) -> dict[str, Any]:
    name = training_stage(stage["name"])
    if name not in checked.further_training:
        return {}
    choices = planned_choices(checked.further_training, stage["training"], places, run_id, name)
    waiting = (planned_folder(choice_folder(name, index)) for index in range(len(choices)))
    planned = (f"{places.recipe_prefix_uri(run_id, folder)}{RECIPE_FILE}" for folder in waiting)
    return _planned(
        checked,
        [{**choice, "planned_recipe_uri": uri} for choice, uri in zip(choices, planned, strict=True)],
        stage["training"],
    )


def _planned(checked: Checked, choices: list[dict[str, Any]], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the plan says of a training stage, from what it says of each choice of instances."""
    # Where there are recipes, there is the hub content that they are of.
    assert checked.recipes is not None
    content, (first, *alternatives) = checked.recipes.content, choices
    return {
        **first,
        "hub_content_version": content.version,
        "hub_content_arn": content.arn,
        "alternatives": alternatives,
        "functions": {arn: checked.functions.get(arn) for arn in functions_called(settings)},
    }


def planned_choices(
    recipes: Mapping[str, ResolvedRecipe], settings: Mapping[str, Any], places: Places, run_id: str, stage: str
) -> list[dict[str, Any]]:
    """Return what the plan says of the job of a stage for each choice of instances, the one wanted first."""
    return [
        planned_job(recipes[choice_folder(stage, index)], choice, places, run_id, choice_folder(stage, index))
        for index, choice in enumerate(choices_of(settings))
    ]


def planned_job(
    resolved: ResolvedRecipe, settings: Mapping[str, Any], places: Places, run_id: str, stage: str
) -> dict[str, Any]:
    """Return what the plan says of one training job; `stage` is the folder of its recipe."""
    folder = places.recipe_prefix_uri(run_id, stage)
    return {
        "recipe_prefix_uri": folder,
        "recipe_file": RECIPE_FILE,
        "image_uri": resolved.image_uri,
        "recipe_sha256": resolved.recipe.sha256,
        "recipe_identity": resolved.identity,
        "instance_type": settings["instance_type"],
        "instance_count": settings["instance_count"],
        **({"mlflow": dict(resolved.mlflow)} if resolved.mlflow else {}),
        **(_objects(resolved, settings, folder) if resolved.payload else {}),
    }


def _objects(resolved: ResolvedRecipe, settings: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """Return what the plan says beyond that of a job on HyperPod: where its objects are kept."""
    return {
        "platform": settings["platform"],
        "payload_uri": f"{folder}{PAYLOAD_FILE}",
        "payload_sha256": hashlib.sha256(resolved.payload.encode()).hexdigest(),
    }
