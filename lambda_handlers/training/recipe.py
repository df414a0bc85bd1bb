"""The recipe a run trains by: from the hub, filled with the run's values, checked before anything is bought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambda_handlers import catalog
from lambda_handlers.catalog import EvaluationTask, NovaModel, Platform, Technique, TrainingMethod, data_mixing, images
from lambda_handlers.protocol.errors import InvalidRequest, RecipeInvalid, UnsupportedCombination
from lambda_handlers.recipes import (
    OwnRecipe,
    Recipe,
    check_mixed,
    evaluation_arguments,
    hub,
    mixing_arguments,
    mlflow_arguments,
    render,
    training_arguments,
    typed,
)
from lambda_handlers.recipes.finding import FoundRecipe, find
from lambda_handlers.recipes.hub_record import HubRecord

RECIPE_FILE: Final = "recipe.yaml"
PAYLOAD_FILE: Final = "payload.yaml"
"""The objects of a job on HyperPod, beside its recipe."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Locations:
    """Where the data of a job comes from and where its output goes, as s3:// addresses.

    `validation_uri` is that of rows for validation, where the recipe and not a channel names them: on HyperPod.
    """

    data_uri: str
    output_uri: str
    validation_uri: str | None = None


_NOWHERE: Final = Locations(data_uri="", output_uri="")


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedRecipe:
    """A recipe ready to be written: the container it is for, its text, and what it is whatever the locations.

    `identity` is the SHA-256 of the recipe without the run's own locations: the same for every run with the same
    settings. `mlflow` is where its job tracks: `resource_arn` or `uri`, `experiment` and `run`. `payload` is the text
    of the Kubernetes objects of a job on HyperPod, with placeholders; empty for a training job.
    """

    image_uri: str
    recipe: Recipe
    identity: str
    mlflow: Mapping[str, str] | None = None
    payload: str = ""


class Recipes:
    """Resolve recipes of one model against one version of its hub content."""

    def __init__(
        self, *, sagemaker: Any, s3: Any, model: NovaModel, content_version: str | None, account: str = ""
    ) -> None:
        """Ask the hub for the model's content; `account` is the caller's, for recipes by subscription."""
        self._record = HubRecord(sagemaker, s3)
        self.model = model
        self.content = hub.fetch(self._record, model, content_version, account=account)

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
        mixing = settings.get("data_mixing")
        found = self._found(method, settings, mixing=bool(mixing))
        spec = typed(found.template.spec) if mixing else found.template.spec
        mixed = mixing_arguments(spec, mixing) if mixing else {}
        if locations.validation_uri and not _takes_validation(found.template.template):
            raise RecipeInvalid("Rows for validation would be lost.", problems=[_NO_VALIDATION])

        def rendered(places: Locations, tracking: Mapping[str, str] | None = None) -> Recipe:
            arguments = training_arguments(
                model=self.model,
                name=name,
                replicas=settings["instance_count"],
                data_uri=places.data_uri,
                output_uri=places.output_uri,
                model_path=model_path,
                reward_lambda_arn=settings.get("reward_function"),
                validation_uri=places.validation_uri,
            )
            everything = {**arguments, **mixed, **mlflow_arguments(tracking)}
            return render(found.template.template, spec, everything, overrides, own)

        recipe = rendered(locations, mlflow)
        if mixing:
            check_mixed(recipe.values, mixing)
        _check_tracked(recipe, mlflow)
        return self._resolved(found, method, settings, recipe, identity=rendered(_NOWHERE).sha256, mlflow=mlflow)

    def evaluation(
        self, *, settings: Mapping[str, Any], name: str, model_path: str, locations: Locations = _NOWHERE
    ) -> ResolvedRecipe:
        """Return the recipe of an evaluation job of the model at `model_path`; `locations` are those of HyperPod."""
        task = checked_task(settings)
        found, on_hyperpod = self._found(task, settings), _platform(settings) is Platform.SMHP

        def rendered(places: Locations) -> Recipe:
            arguments = evaluation_arguments(
                model=self.model,
                task=task,
                name=name,
                model_path=model_path,
                subtask=settings.get("subtask"),
                replicas=(settings.get("instance_count") or 1) if on_hyperpod else 1,
                data_uri=places.data_uri,
                output_uri=places.output_uri,
                reward_lambda_arn=settings.get("reward_function"),
                processor=settings.get("processor"),
            )
            return render(found.template.template, found.template.spec, arguments, settings.get("overrides") or {})

        places = locations if on_hyperpod else _NOWHERE
        return self._resolved(found, task, settings, rendered(places), identity=rendered(_NOWHERE).sha256)

    def _resolved(
        self,
        found: FoundRecipe,
        work: TrainingMethod | EvaluationTask,
        settings: Mapping[str, Any],
        recipe: Recipe,
        *,
        identity: str,
        mlflow: Mapping[str, str] | None = None,
    ) -> ResolvedRecipe:
        image, where = found.entry.image_uri, _platform(settings)
        if where is Platform.SMHP and not image:
            technique = work.technique if isinstance(work, TrainingMethod) else Technique.EVALUATION
            image = images.uri(technique=technique, model=self.model, platform=where, region=self._region) or ""
        return ResolvedRecipe(image_uri=image, recipe=recipe, identity=identity, mlflow=mlflow, payload=found.payload)

    @property
    def _region(self) -> str:
        return self.content.arn.split(":")[3]

    def _found(
        self, work: TrainingMethod | EvaluationTask, settings: Mapping[str, Any], *, mixing: bool = False
    ) -> FoundRecipe:
        platform = _platform(settings)
        if mixing and isinstance(work, TrainingMethod) and (why := data_mixing.refusal(work, platform)):
            raise UnsupportedCombination(why)
        found = find(self._record, self.content, work, platform, settings["instance_type"], mixing=mixing)
        if platform is Platform.SMHP and not found.payload:
            raise RecipeInvalid(f"The hub's recipe for {work.name} for {self.model.name} on HyperPod has no objects.")
        if not found.entry.image_uri and platform is Platform.SMTJ:
            raise UnsupportedCombination(
                f"The recipe for {work.name} for {self.model.name} has no container image in {self._region}."
            )
        return found


_NO_VALIDATION: Final = (
    "split puts rows aside for validation, which the hub's recipe for HyperPod has no place for: give it validation 0"
)


def _platform(settings: Mapping[str, Any]) -> Platform:
    return catalog.platform(settings.get("platform", Platform.SMTJ))


def _takes_validation(template: Mapping[str, Any]) -> bool:
    return "validation_data_s3_path" in template["run"]


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
