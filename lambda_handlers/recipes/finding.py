"""The recipe for a piece of work: the hub's, and for the evaluations that the hub has none for, the public one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lambda_handlers.catalog import EvaluationTask, NovaModel, Platform, Technique, TrainingMethod, images
from lambda_handlers.catalog.evaluations import RecipeKind
from lambda_handlers.protocol.errors import UnsupportedCombination
from lambda_handlers.recipes import hub
from lambda_handlers.recipes.hub_snapshot.recipes import SnapshotRecipe, without_hub_entry
from lambda_handlers.recipes.places import ObjectApi

# Recipes of aws/sagemaker-hyperpod-recipes without a container of their own in any Region, so without a hub entry.
WITHOUT_ENTRY: Final = frozenset({RecipeKind.JUDGE, RecipeKind.RUBRIC_JUDGE, RecipeKind.REWARD})


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRecipe:
    """Hold a recipe's entry, its template and its override spec; `from_hub` tells whether the hub has it."""

    entry: hub.HubRecipe
    template: hub.RecipeTemplate
    from_hub: bool


def find(
    s3: ObjectApi,
    content: hub.HubContent,
    work: TrainingMethod | EvaluationTask,
    platform: Platform,
    instance_type: str | None,
) -> FoundRecipe:
    """Return the recipe for a method or an evaluation task on a platform and an instance type (None: any).

    Raises:
        RecipeInvalid: The hub's files cannot be read.
        UnsupportedCombination: There is no such recipe; the message says what there is.
    """
    if isinstance(work, EvaluationTask) and work.recipe_kind in WITHOUT_ENTRY and not hub.has_recipe(content, work):
        return _public(content, work, platform, instance_type)
    entry = hub.select(content, work, platform, instance_type)
    return FoundRecipe(entry=entry, template=hub.load_template(s3, entry), from_hub=True)


def _public(
    content: hub.HubContent, task: EvaluationTask, platform: Platform, instance_type: str | None
) -> FoundRecipe:
    recipe = _of(content.model, task)
    if instance_type is not None and instance_type not in recipe.instance_types:
        types = ", ".join(sorted(recipe.instance_types))
        raise UnsupportedCombination(
            f"The recipe for {task.name} for {content.model.name} does not run on {instance_type}; it runs on {types}."
        )
    region = content.arn.split(":")[3]
    image = images.uri(technique=Technique.EVALUATION, model=content.model, platform=platform, region=region)
    entry = hub.HubRecipe(
        name=recipe.name,
        display_name=recipe.display_name,
        instance_types=recipe.instance_types,
        image_uri=image or "",
        template_uri="",
        spec_uri="",
    )
    template = hub.RecipeTemplate(recipe.template(), recipe.spec())
    return FoundRecipe(entry=entry, template=template, from_hub=False)


def _of(model: NovaModel, task: EvaluationTask) -> SnapshotRecipe:
    for recipe in without_hub_entry():
        if recipe.model == model and recipe.values["evaluation"]["task"] == task.name:
            return recipe
    raise UnsupportedCombination(f"There is no recipe for {task.name} for {model.name}.")
