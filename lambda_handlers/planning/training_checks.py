"""Check the training of a run: the recipe of each of its jobs, filled with the run's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_handlers import catalog
from lambda_handlers.catalog import TrainingMethod, instances
from lambda_handlers.jobs.choices import choice_folder, choices_of, instances_of, on_hyperpod
from lambda_handlers.planning.context import RunContext
from lambda_handlers.planning.execution_input import ExecutionInput
from lambda_handlers.planning.tracking import tracking_of
from lambda_handlers.recipes import OwnRecipe, own_recipe
from lambda_handlers.training.recipe import Locations, Recipes, ResolvedRecipe
from lambda_handlers.training.stages import TRAINING as TRAINING


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedTraining:
    """What one training job does: by which method, settings of its platform and overrides, on what data.

    `validation_uri` is where rows for validation will be, None without any. `own` is a recipe of the user's own;
    `model_path` the checkpoint to go on from, by default the published model.
    """

    stage: str
    method: TrainingMethod
    settings: Mapping[str, Any]
    overrides: Mapping[str, Any]
    data_uri: str
    validation_uri: str | None = None
    own: OwnRecipe | None = None
    model_path: str | None = None


def check_training(
    context: RunContext, recipes: Recipes | None, asked: ExecutionInput, *, model_path: str | None
) -> dict[str, ResolvedRecipe]:
    """Return the recipe of each training job by its stage; a stage with problems, which are noted, is left out.

    A recipe depends on the instances: an alternative has its own, by the name of its folder, `STAGE-alternative-2`.
    `model_path` is the checkpoint that training continues from, by default the model as Amazon publishes it.
    """
    own = _own_recipe(context, asked)
    readable = own is not None or asked.recipe is None
    if recipes is None or not readable or context.impossible():
        return {}
    planned = PlannedTraining(
        stage=TRAINING,
        method=catalog.method(context.config["method"]),
        settings=context.config["training"],
        overrides=overrides_of(context.config, asked),
        data_uri=context.places.train_uri(context.run_id),
        validation_uri=context.places.validation_uri(context.run_id, context.config),
        own=own,
        model_path=model_path,
    )
    return check_planned(context, recipes, planned)


def check_planned(context: RunContext, recipes: Recipes, planned: PlannedTraining) -> dict[str, ResolvedRecipe]:
    """Return the recipe of one training job for each choice of instances, by the name of its folder.

    A template has a function's ARN as an example: without one of the customization's own, jobs would call that.
    """
    for problem in planned.method.function_problems(has_reward=bool(planned.settings.get("reward_function"))):
        context.findings.problem(f"{planned.stage}: {problem}")
    found = {
        choice_folder(planned.stage, index): _choice(context, recipes, planned, settings, index)
        for index, settings in enumerate(choices_of(planned.settings))
    }
    return {folder: recipe for folder, recipe in found.items() if recipe}


def overrides_of(config: Mapping[str, Any], asked: ExecutionInput) -> dict[str, Any]:
    """Return the overrides of a run: those of its input before those of the customization."""
    return {**config.get("overrides", {}), **asked.overrides}


def _own_recipe(context: RunContext, asked: ExecutionInput) -> OwnRecipe | None:
    if asked.recipe is None:
        return None
    with context.findings.checking():
        return own_recipe.resolve(asked.recipe, context.account.s3)
    return None


def _warn_of_instances(
    context: RunContext, subject: str, planned: PlannedTraining, settings: Mapping[str, Any]
) -> None:
    """Note instances that the hub's recipe takes and no table lists: the sources disagree about counts."""
    chosen = instances_of(settings)
    for message in instances.check(
        instances.Work.TRAINING,
        context.config["model"],
        planned.method.name,
        settings["platform"],
        instance_type=chosen.type,
        instance_count=chosen.count,
    ):
        context.findings.warn(f"{subject}: {message}")


def _choice(
    context: RunContext, recipes: Recipes, planned: PlannedTraining, settings: Mapping[str, Any], index: int
) -> ResolvedRecipe | None:
    subject = f"{planned.stage} on {instances_of(settings)}" if index else planned.stage
    locations = Locations(
        data_uri=planned.data_uri,
        output_uri=context.places.output_uri(context.run_id),
        # A training job has a channel for them.
        validation_uri=planned.validation_uri if on_hyperpod(settings) else None,
    )
    with context.findings.checking(subject, unless_told_of=planned.stage):
        found = recipes.training(
            method=planned.method,
            settings=settings,
            name=context.places.slug,
            overrides=planned.overrides,
            locations=locations,
            own=planned.own,
            model_path=planned.model_path,
            mlflow=tracking_of(context, planned.settings),
        )
        for warning in found.recipe.warnings:
            context.findings.warn(f"{subject}: {warning}", unless_told=f"{planned.stage}: {warning}")
        _warn_of_instances(context, subject, planned, settings)
        return found
    return None
