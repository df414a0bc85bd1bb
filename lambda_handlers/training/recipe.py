"""The recipe a run trains by: from the hub, filled with the run's values, checked before anything is bought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambda_handlers import catalog
from lambda_handlers.catalog import EvaluationTask, NovaModel, TrainingMethod
from lambda_handlers.protocol.errors import InvalidRequest, RecipeInvalid, UnsupportedCombination
from lambda_handlers.recipes import (
    OwnRecipe,
    Recipe,
    evaluation_arguments,
    hub,
    mlflow_arguments,
    render,
    training_arguments,
)
from lambda_handlers.recipes.finding import FoundRecipe, find
from lambda_handlers.recipes.hub_record import HubRecord

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
    settings. `mlflow` is where its job tracks: `resource_arn` or `uri`, `experiment` and `run`.
    """

    image_uri: str
    recipe: Recipe
    identity: str
    mlflow: Mapping[str, str] | None = None


class Recipes:
    """Resolve recipes of one model against one version of its hub content."""

    def __init__(self, *, sagemaker: Any, s3: Any, model: NovaModel, content_version: str | None) -> None:
        self._record = HubRecord(sagemaker, s3)
        self.model = model
        self.content = hub.fetch(self._record, model, content_version)

    def snapshot(self) -> dict[str, bytes]:
        """Return what the hub has given so far, by file name, so that a recipe can be made again and looked into."""
        return self._record.files()

    def training(
        self,
        *,
        method: TrainingMethod,
        settings: Mapping[str, Any],
        name: str,
        overrides: Mapping[str, Any],
        locations: Locations,
        own: OwnRecipe | None = None,
        model_path: str | None = None,
        mlflow: Mapping[str, str] | None = None,
    ) -> ResolvedRecipe:
        """Return the recipe of a training job, by the user's own recipe where there is one.

        `model_path` is the checkpoint to continue from, by default the model as Amazon publishes it. `mlflow` is where
        the job tracks; like the locations, it does not make another recipe.

        Raises:
            RecipeInvalid: With every problem of the values.
            UnsupportedCombination: The hub has no such recipe.
        """
        found = self._found(method, settings)

        def rendered(data_uri: str, output_uri: str, tracking: Mapping[str, str] | None = None) -> Recipe:
            arguments = training_arguments(
                model=self.model,
                name=name,
                replicas=settings["instance_count"],
                data_uri=data_uri,
                output_uri=output_uri,
                model_path=model_path,
                reward_lambda_arn=settings.get("reward_function"),
            )
            everything = {**arguments, **mlflow_arguments(tracking)}
            return render(found.template.template, found.template.spec, everything, overrides, own)

        recipe = rendered(locations.data_uri, locations.output_uri, mlflow)
        _check_tracked(recipe, mlflow)
        return ResolvedRecipe(
            image_uri=found.entry.image_uri, recipe=recipe, identity=rendered("", "").sha256, mlflow=mlflow
        )

    def evaluation(self, *, settings: Mapping[str, Any], name: str, model_path: str) -> ResolvedRecipe:
        """Return the recipe of an evaluation job of the model at `model_path`."""
        task = checked_task(settings)
        found = self._found(task, settings)
        arguments = evaluation_arguments(
            model=self.model,
            task=task,
            name=name,
            model_path=model_path,
            subtask=settings.get("subtask"),
            reward_lambda_arn=settings.get("reward_function"),
            processor=settings.get("processor"),
        )
        recipe = render(found.template.template, found.template.spec, arguments, settings.get("overrides") or {})
        return ResolvedRecipe(image_uri=found.entry.image_uri, recipe=recipe, identity=recipe.sha256)

    def _found(self, work: TrainingMethod | EvaluationTask, settings: Mapping[str, Any]) -> FoundRecipe:
        platform = catalog.platform(settings.get("platform", catalog.Platform.SMTJ))
        found = find(self._record, self.content, work, platform, settings["instance_type"])
        if not found.entry.image_uri and platform is catalog.Platform.SMTJ:
            region = self.content.arn.split(":")[3]
            raise UnsupportedCombination(
                f"The recipe for {work.name} for {self.model.name} has no container image in {region}."
            )
        return found


def _check_tracked(recipe: Recipe, tracking: Mapping[str, str] | None) -> None:
    """Raise RecipeInvalid where a job would not be told of a server that only its recipe can name."""
    if tracking and tracking.get("uri") and "mlflow_tracking_uri" not in recipe.values["run"]:
        problem = "this recipe has no mlflow_tracking_uri, by which alone a server that is not SageMaker's is named"
        raise RecipeInvalid("The job cannot track.", problems=[f"mlflow.uri: {problem}; name a resource_arn instead."])


def checked_task(settings: Mapping[str, Any]) -> EvaluationTask:
    """Return the evaluation task of the settings; raise InvalidRequest for what does not go with it."""
    task = catalog.evaluation_task(settings["task"])
    has_dataset = bool(settings.get("dataset_uri") or settings.get("held_out"))
    found = task.problems(subtask=settings.get("subtask"), has_dataset=has_dataset)
    found += task.function_problems(
        has_processor=bool(settings.get("processor")), has_reward=bool(settings.get("reward_function"))
    )
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
