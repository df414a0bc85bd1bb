"""Check the evaluations of a run: settings, evaluation sets and recipes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers import catalog
from lambda_handlers.catalog.lookup import UnknownNameError
from lambda_handlers.datasets.passes.manifest import ReadObject
from lambda_handlers.evaluation.stages import stage_name
from lambda_handlers.jobs.choices import choice_folder, choices_of, instances_of
from lambda_handlers.planning import dataset as datasets
from lambda_handlers.planning.context import RunContext
from lambda_handlers.training.recipe import Locations, Recipes, ResolvedRecipe, checked_task

# Stands for a dataset that is missing, so that the rest of an evaluation can be checked.
_SOME_DATASET: Final = "s3://some-bucket/some-dataset.jsonl"


def check_evaluations(context: RunContext, recipes: Recipes | None, *, model_path: str) -> dict[str, ResolvedRecipe]:
    """Return the recipe of each evaluation by its stage; one with problems, which are noted, is left out.

    `model_path` is the checkpoint that is evaluated, or the path of a model as Amazon publishes it.
    """
    found = {
        choice_folder(stage_name(settings), index): _evaluation(context, recipes, choice, model_path, index)
        for settings in context.config.get("evaluation", ())
        for index, choice in enumerate(choices_of(settings))
    }
    return {stage: recipe for stage, recipe in found.items() if recipe}


def pin_sets(s3: Any, config: Mapping[str, Any]) -> dict[str, ReadObject]:
    """Hash the evaluation sets of one's own, each object once, and return them by task.

    Test rows of a run (`HELD_OUT`) are not among them: its dataset decides them.
    """
    own = [settings for settings in config.get("evaluation", ()) if settings.get("dataset_uri")]
    first = {settings["dataset_uri"]: settings for settings in reversed(own)}
    pinned = {uri: datasets.pin_one(s3, uri, what=_what(settings)) for uri, settings in first.items()}
    return {settings["task"]: pinned[settings["dataset_uri"]] for settings in own}


def _what(settings: Mapping[str, Any]) -> str:
    return f"dataset of evaluation {settings['task']}"


def _evaluation(
    context: RunContext, recipes: Recipes | None, settings: Mapping[str, Any], model_path: str, index: int
) -> ResolvedRecipe | None:
    stage = stage_name(settings)
    try:
        task = catalog.evaluation_task(settings["task"])
    except UnknownNameError:
        return None  # told by the check of the combination
    with context.findings.checking(stage):
        checked_task(settings)
    if settings.get("dataset_uri"):
        with context.findings.checking():
            datasets.find(context.account.s3, settings["dataset_uri"], what=_what(settings))
    if recipes is None or context.impossible(task.name) - context.impossible():
        return None
    # What is wrong with these two is told; the recipe's own values can be checked without them.
    subtask = settings.get("subtask") if settings.get("subtask") in task.subtasks else None
    dataset = settings.get("dataset_uri") or _SOME_DATASET if task.takes_data else None
    usable = {**settings, "subtask": subtask, "dataset_uri": dataset}
    own_data = task.takes_data or settings.get("held_out")
    data_uri = context.places.evaluation_set_uri(context.run_id, task.name) if own_data else ""
    return resolve(context, recipes, usable, stage=stage, model_path=model_path, index=index, data_uri=data_uri)


def resolve(
    context: RunContext,
    recipes: Recipes,
    settings: Mapping[str, Any],
    *,
    stage: str,
    model_path: str,
    index: int,
    data_uri: str,
) -> ResolvedRecipe | None:
    """Return the recipe of one choice of instances, or None where something is wrong with it, which is noted.

    `data_uri` is where the rows will be, empty for a task that brings its own.
    """
    locations = Locations(data_uri=data_uri, output_uri=context.places.output_uri(context.run_id))
    subject = f"{stage} on {instances_of(settings)}" if index else stage
    with context.findings.checking(subject, unless_told_of=stage):
        found = recipes.evaluation(
            settings=settings, name=context.places.slug, model_path=model_path, locations=locations
        )
        for warning in found.recipe.warnings:
            context.findings.warn(f"{subject}: {warning}", unless_told=f"{stage}: {warning}")
        return found
    return None
