"""The recipe a run trains by: from the hub, filled with the run's values, checked before anything is bought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambda_handlers import catalog
from lambda_handlers.catalog import EvaluationTask, NovaModel, TrainingMethod
from lambda_handlers.protocol.errors import InvalidRequest, UnsupportedCombination
from lambda_handlers.recipes import OwnRecipe, Recipe, evaluation_arguments, hub, render, training_arguments

RECIPE_FILE: Final = "recipe.yaml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Locations:
    """Where the training data of a job comes from and where its output goes, as s3:// addresses."""

    data_uri: str
    output_uri: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedRecipe:
    """A recipe ready to be written: the container it is for, its text, and what it is whatever the locations.

    `identity` is the SHA-256 of the recipe without the run's own locations: the same for every run with the same
    settings.
    """

    image_uri: str
    recipe: Recipe
    identity: str


class Recipes:
    """Resolve recipes of one model against one version of its hub content."""

    def __init__(self, *, sagemaker: Any, s3: Any, model: NovaModel, content_version: str | None) -> None:
        self._s3 = s3
        self.model = model
        self.content = hub.fetch(sagemaker, model, content_version)

    def training(
        self,
        *,
        method: TrainingMethod,
        settings: Mapping[str, Any],
        name: str,
        overrides: Mapping[str, Any],
        locations: Locations,
        own: OwnRecipe | None = None,
    ) -> ResolvedRecipe:
        """Return the recipe of a training job, by the user's own recipe where there is one.

        Raises:
            RecipeInvalid: With every problem of the values.
            UnsupportedCombination: The hub has no such recipe.
        """
        found, template = self._template(method, settings)

        def rendered(data_uri: str, output_uri: str) -> Recipe:
            arguments = training_arguments(
                model=self.model,
                name=name,
                replicas=settings["instance_count"],
                data_uri=data_uri,
                output_uri=output_uri,
                reward_lambda_arn=settings.get("reward_function"),
            )
            return render(template.template, template.spec, arguments, overrides, own)

        return ResolvedRecipe(
            image_uri=found.image_uri,
            recipe=rendered(locations.data_uri, locations.output_uri),
            identity=rendered("", "").sha256,
        )

    def evaluation(self, *, settings: Mapping[str, Any], name: str, model_path: str) -> ResolvedRecipe:
        """Return the recipe of an evaluation job of the model at `model_path`."""
        task = checked_task(settings)
        found, template = self._template(task, settings)
        arguments = evaluation_arguments(
            model=self.model,
            task=task,
            name=name,
            model_path=model_path,
            subtask=settings.get("subtask"),
        )
        recipe = render(template.template, template.spec, arguments, settings.get("overrides") or {})
        return ResolvedRecipe(image_uri=found.image_uri, recipe=recipe, identity=recipe.sha256)

    def _template(
        self, work: TrainingMethod | EvaluationTask, settings: Mapping[str, Any]
    ) -> tuple[hub.HubRecipe, hub.RecipeTemplate]:
        platform = catalog.platform(settings.get("platform", catalog.Platform.SMTJ))
        found = hub.select(self.content, work, platform, settings["instance_type"])
        return found, hub.load_template(self._s3, found)


def checked_task(settings: Mapping[str, Any]) -> EvaluationTask:
    """Return the evaluation task of the settings; raise InvalidRequest if subtask or dataset do not go with it."""
    task = catalog.evaluation_task(settings["task"])
    found = task.problems(subtask=settings.get("subtask"), has_dataset=bool(settings.get("dataset_uri")))
    if found:
        raise InvalidRequest(f"The evaluation {task.name} is not valid.", problems=found)
    return task


def check_combination(config: Mapping[str, Any]) -> None:
    """Raise UnsupportedCombination with every reason why a customization can never work."""
    found = catalog.combinations.check(
        config["model"],
        config["method"],
        config["training"]["platform"],
        (config.get("deployment") or {}).get("target"),
        [evaluation["task"] for evaluation in config.get("evaluation", ())],
    )
    if found:
        raise UnsupportedCombination("The customization cannot work.", problems=found)
