"""Every request that a run would send, in its order, made by the functions that make those of a run.

What only exists once the run is on its way has a stand-in, which is named beside the request.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from lambda_handlers import catalog
from lambda_handlers.deployment import requests as bedrock
from lambda_handlers.deployment.importing import origin_of
from lambda_handlers.deployment.stages import DEPLOYMENT, IMPORT
from lambda_handlers.evaluation import job as evaluation
from lambda_handlers.evaluation.stages import stage_name
from lambda_handlers.inference import bedrock_job
from lambda_handlers.inference.stages import BATCH_INFERENCE, BEDROCK
from lambda_handlers.jobs.choices import choice_folder, choices_of, job_kind
from lambda_handlers.planning.further_training import further_stages
from lambda_handlers.planning.inference_checks import inference_of
from lambda_handlers.planning.modes import MODES
from lambda_handlers.planning.places import Places
from lambda_handlers.recipes import Recipe, documents
from lambda_handlers.training import job as training
from lambda_handlers.training.continuing import CHECKPOINT_TO_COME
from lambda_handlers.training.recipe import ResolvedRecipe
from lambda_handlers.training.stages import TRAINING, training_stage

MODEL_TO_COME: Final = "arn:aws:bedrock:us-east-1:000000000000:custom-model/imported/planned"
"""Stands for the custom model that the import will make."""
PRODUCTION_TO_COME: Final = "s3://customer-escrow-000000000000-smtj-planned/production"
"""Stands for the checkpoint of the model in production when the gate compares, or of the base model without one."""
_STAND_INS: Final = {
    "checkpoint": CHECKPOINT_TO_COME,
    "production": PRODUCTION_TO_COME,
    "model": MODEL_TO_COME,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedRequest:
    """A request without the name, the token and the tags of the workflow, which are made when it is sent.

    `stage` is that of the job; a choice of instances for lack of capacity has a number: `training-alternative-2`.
    `recipe` is what the job reads, None for what is no job; `only_if` says when it would be sent, None for always.
    """

    stage: str
    operation: str
    body: Mapping[str, Any]
    recipe: Recipe | None = None
    only_if: str | None = None

    @property
    def is_of_objects(self) -> bool:
        """Whether it stands for Kubernetes objects, which are created one by one."""
        return self.platform == catalog.Platform.SMHP

    @property
    def platform(self) -> str | None:
        """Where the job would run, None for what is no job of ours."""
        return next((each.value for each in catalog.Platform if self.operation == f"Create{each.job_kind}"), None)

    @property
    def stand_ins(self) -> dict[str, str]:
        """What in the request stands for something that the run makes, by what it stands for."""
        text = json.dumps(self.body)
        return {name: value for name, value in _STAND_INS.items() if value in text}


def planned_requests(
    plan: Mapping[str, Any],
    config: Mapping[str, Any],
    recipes: Mapping[str, ResolvedRecipe],
    places: Places,
    run_id: str,
) -> list[PlannedRequest]:
    """Return the requests of a run by its plan; `recipes` are those of its jobs, by stage and choice."""
    mode = MODES[plan["mode"]]
    found = [*_training(plan, config, recipes, places, run_id)] if mode.trains else []
    if mode.evaluates:
        found += _evaluations(config, recipes, places, run_id)
    if settings := inference_of(config, mode):
        found += _inference(settings, recipes, places, run_id)
    if mode.deploys and config.get("deployment"):
        found += _deployment(plan, config, places)
    return found


def _training(
    plan: Mapping[str, Any],
    config: Mapping[str, Any],
    recipes: Mapping[str, ResolvedRecipe],
    places: Places,
    run_id: str,
) -> Iterator[PlannedRequest]:
    yield from _of_stage(plan["training"], config, recipes, places, run_id, None)
    for stage in further_stages(config):
        yield from _of_stage(plan["further_training"][stage["name"]], stage, recipes, places, run_id, stage["name"])


def _of_stage(
    planned: Mapping[str, Any],
    settings: Mapping[str, Any],
    recipes: Mapping[str, ResolvedRecipe],
    places: Places,
    run_id: str,
    name: str | None,
) -> Iterator[PlannedRequest]:
    """Yield the request of each choice of a training stage; `settings` are the customization's or the stage's own."""
    validation = places.validation_uri(run_id, settings, name)
    event = {
        "config": settings,
        "run": {"id": run_id},
        "train_uri": places.train_uri(run_id, name),
        # Whether a split by content leaves any row is known once the data is prepared.
        "validation": {"uri": validation, "rows": 1} if validation else None,
    }
    for index, choice in enumerate((planned, *planned["alternatives"])):
        folder = choice_folder(training_stage(name) if name else TRAINING, index)
        recipe = recipes[folder].recipe
        body = training.request_with(
            {**event, "recipe": choice},
            recipe=recipe.values,
            payload=recipes[folder].payload,
            role_arn=places.role_arn,
            artifacts_bucket=places.artifacts_bucket,
            key_arn=places.key_arn,
        )
        operation = _operation(settings["training"])
        yield PlannedRequest(stage=folder, operation=operation, body=body, recipe=recipe, only_if=_only_if(index))


def _operation(settings: Mapping[str, Any]) -> str:
    """Return what submits a job: a call of the service, or the creation of its objects in the cluster."""
    return f"Create{job_kind(settings)}"


def _evaluations(
    config: Mapping[str, Any], recipes: Mapping[str, ResolvedRecipe], places: Places, run_id: str
) -> Iterator[PlannedRequest]:
    for settings in (*config.get("evaluation", ()), *config.get("baselines", ())):
        baseline = settings.get("baseline")
        own_data = settings.get("dataset_uri") or settings.get("held_out")
        for index, choice in enumerate(choices_of(settings)):
            # The recipe of a model of comparison is the candidate's but for the model.
            resolved = recipes[choice_folder(stage_name({**settings, "baseline": None}), index)]
            recipe = _of_baseline(resolved.recipe, config, baseline) if baseline else resolved.recipe
            folder = choice_folder(stage_name(settings), index)
            body = evaluation.request_with(
                choice,
                replace(resolved, recipe=recipe),
                _places(places, run_id, folder),
                data_uri=places.evaluation_set_uri(run_id, settings["task"]) if own_data else None,
            )
            yield PlannedRequest(
                stage=folder,
                operation=_operation(settings),
                body=body,
                recipe=recipe,
                only_if=_only_if(index, baseline),
            )


def _inference(
    settings: Mapping[str, Any], recipes: Mapping[str, ResolvedRecipe], places: Places, run_id: str
) -> Iterator[PlannedRequest]:
    if settings.get("through") == BEDROCK:
        asked = bedrock_job.request_of(
            settings,
            run_id,
            role_arn=places.batch_role_arn,
            artifacts_bucket=places.artifacts_bucket,
            key_arn=places.key_arn,
        )
        yield PlannedRequest(stage=BATCH_INFERENCE, operation="CreateModelInvocationJob", body=asked)
        return
    for index, choice in enumerate(choices_of(settings)):
        folder = choice_folder(BATCH_INFERENCE, index)
        recipe, rows = recipes[folder].recipe, places.inference_rows_uri(run_id)
        body = evaluation.request_with(choice, recipes[folder], _places(places, run_id, folder), data_uri=rows)
        operation = _operation(settings)
        yield PlannedRequest(stage=folder, operation=operation, body=body, recipe=recipe, only_if=_only_if(index))


def _places(places: Places, run_id: str, folder: str) -> dict[str, str]:
    return {
        "recipe_prefix_uri": places.recipe_prefix_uri(run_id, folder),
        "output_uri": places.output_uri(run_id),
        "role_arn": places.role_arn,
        "kms_key_id": places.key_arn,
    }


def _only_if(index: int, baseline: str | None = None) -> str | None:
    if index:
        return "there is no capacity for the choice before it"
    return "its scores are not known" if baseline else None


def _of_baseline(recipe: Recipe, config: Mapping[str, Any], baseline: str) -> Recipe:
    path = catalog.model(config["model"]).model_path if baseline == "base" else PRODUCTION_TO_COME
    values = {**recipe.values, "run": {**recipe.values["run"], "model_name_or_path": path}}
    text = documents.dump(values)
    return replace(recipe, values=values, yaml_text=text, sha256=hashlib.sha256(text.encode()).hexdigest())


def _deployment(plan: Mapping[str, Any], config: Mapping[str, Any], places: Places) -> Iterator[PlannedRequest]:
    checkpoint = plan["model"]["model_path"] if plan["origin"] else CHECKPOINT_TO_COME
    tags = bedrock.origin_tags(checkpoint, origin_of(plan))
    key_arn = config["deployment"].get("model_key_arn")
    model = bedrock.custom_model(checkpoint_uri=checkpoint, role_arn=places.import_role_arn, tags=tags, key_arn=key_arn)
    yield PlannedRequest(
        stage=IMPORT, operation="CreateCustomModel", body=model, only_if="no earlier run has imported the checkpoint"
    )
    kind, deployment = bedrock.serving(config["deployment"], MODEL_TO_COME)
    operation = {"ProvisionedThroughput": "CreateProvisionedModelThroughput"}.get(kind, "CreateCustomModelDeployment")
    named = "nothing has the name yet" if config["deployment"].get("name") else None
    yield PlannedRequest(stage=DEPLOYMENT, operation=operation, body=deployment, only_if=named)
