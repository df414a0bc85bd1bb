"""The recipe for a piece of work: the hub's, and for the evaluations that the hub has none for, the public one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lambda_handlers.catalog import EvaluationTask, NovaModel, Platform, Technique, TrainingMethod, images
from lambda_handlers.catalog.evaluations import RecipeKind, evaluation_task
from lambda_handlers.protocol.errors import UnsupportedCombination
from lambda_handlers.recipes import hub
from lambda_handlers.recipes.hub_snapshot.recipes import SnapshotRecipe, without_hub_entry
from lambda_handlers.recipes.places import ObjectApi

# Recipes of aws/sagemaker-hyperpod-recipes without a container of their own in any Region, so without a hub entry.
WITHOUT_ENTRY: Final = frozenset({RecipeKind.JUDGE, RecipeKind.RUBRIC_JUDGE, RecipeKind.REWARD})


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRecipe:
    """Hold a recipe's entry, its template and its override spec; `from_hub` tells whether the hub has it.

    `payload` is the text of the objects of a job on HyperPod, empty for training jobs.
    """

    entry: hub.HubRecipe
    template: hub.RecipeTemplate
    from_hub: bool
    payload: str = ""


def find(
    s3: ObjectApi,
    content: hub.HubContent,
    work: TrainingMethod | EvaluationTask,
    platform: Platform,
    instance_type: str | None,
    *,
    mixing: bool = False,
) -> FoundRecipe:
    """Return the recipe for a method or an evaluation task on a platform and an instance type (None: any).

    `mixing` asks for the one that mixes data of Nova's own, and for no other in its place.

    Raises:
        RecipeInvalid: The hub's files cannot be read.
        UnsupportedCombination: There is no such recipe; the message says what there is.
    """
    if isinstance(work, EvaluationTask) and work.recipe_kind in WITHOUT_ENTRY and not hub.has_recipe(content, work):
        return _public(s3, content, work, platform, instance_type)
    entry = hub.select(content, work, platform, instance_type, mixing=mixing)
    payload = hub.load_payload(s3, entry) if platform is Platform.SMHP else ""
    return FoundRecipe(entry=entry, template=hub.load_template(s3, entry), from_hub=True, payload=payload)


def _public(
    s3: ObjectApi, content: hub.HubContent, task: EvaluationTask, platform: Platform, instance_type: str | None
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
    payload = _payload(s3, content, instance_type) if platform is Platform.SMHP else ""
    template = hub.RecipeTemplate(recipe.template(), recipe.spec())
    return FoundRecipe(entry=entry, template=template, from_hub=False, payload=payload)


def _payload(s3: ObjectApi, content: hub.HubContent, instance_type: str | None) -> str:
    """Return the HyperPod objects of an evaluation on data of one's own: those of these evaluations are the same."""
    entry = hub.select(content, evaluation_task("gen_qa"), Platform.SMHP, instance_type)
    return hub.load_payload(s3, entry)


def _of(model: NovaModel, task: EvaluationTask) -> SnapshotRecipe:
    for recipe in without_hub_entry():
        if recipe.model == model and recipe.values["evaluation"]["task"] == task.name:
            return recipe
    raise UnsupportedCombination(f"There is no recipe for {task.name} for {model.name}.")
