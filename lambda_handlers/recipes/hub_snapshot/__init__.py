"""A small snapshot of the public hub: documents, templates and override specs for work without AWS.

It can be rendered from where no hub answers. It stands in for `DescribeHubContent` of
SageMakerPublicHub and for the objects of a Region's hub bucket: for jobs on SageMaker Training Jobs and for HyperPod,
supervised fine-tuning of all four models, reinforcement fine-tuning of Nova 2 Lite, benchmarks and own-dataset
evaluations; for HyperPod alone, continued pre-training, and the recipes of a Nova Forge subscription, which mix data.
Judges and evaluations by a reward function are not in it, as they are not in the hub: `recipes.finding` brings them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from lambda_handlers.catalog import MODELS, Platform, Technique, images, regions
from lambda_handlers.recipes import documents
from lambda_handlers.recipes.hub_snapshot.payloads import payload
from lambda_handlers.recipes.hub_snapshot.recipes import (
    SnapshotRecipe,
    hyperpod_variants,
    recipes,
    with_data_mixing,
)

__all__ = ["CONTENT_VERSION", "HUB_NAME", "bucket", "hub_content", "objects"]

HUB_NAME = "SageMakerPublicHub"
CONTENT_VERSION = "1.0.20"
_CREATED = 1_780_272_000.0  # 2026-06-01T00:00:00Z, about when the recipes had these values

_TECHNIQUES = {"SFT": Technique.SFT, "RLVR": Technique.RFT, "CPT": Technique.CPT, "": Technique.EVALUATION}


def bucket(region: str) -> str:
    """Return the name of the bucket that holds a Region's templates and specs."""
    return regions.hub_bucket(region)


def hub_content(name: str, region: str, version: str | None = None) -> dict[str, Any]:
    """Return the answer of DescribeHubContent, timestamps as epoch seconds.

    Raises:
        KeyError: The snapshot has no such content or no such version of it.
    """
    models = {model.hub_content_name: model for model in MODELS.values()}
    model = models[name]
    if version not in (None, CONTENT_VERSION):
        raise KeyError(f"{name} {version}")
    arn = f"arn:aws:sagemaker:{region}:aws"
    entries: dict[str, dict[str, Any]] = {}
    for recipe in _recipes():
        if recipe.model == model:
            # A recipe that is for both platforms is one entry with the files of both.
            entries[recipe.name] = entries.get(recipe.name, {}) | _entry(recipe, region)
    return {
        "HubContentName": name,
        "HubContentArn": f"{arn}:hub-content/{HUB_NAME}/Model/{name}/{CONTENT_VERSION}",
        "HubContentVersion": CONTENT_VERSION,
        "HubContentType": "Model",
        "DocumentSchemaVersion": "2.4.0",
        "HubName": HUB_NAME,
        "HubArn": f"{arn}:hub/{HUB_NAME}",
        "HubContentDisplayName": model.name.replace("_", " ").title(),
        "HubContentDocument": json.dumps({"RecipeCollection": list(entries.values())}),
        "HubContentStatus": "Available",
        "CreationTime": _CREATED,
    }


@cache
def objects(region: str = "us-east-1") -> Mapping[str, bytes]:
    """Return key and content of every object that the hub documents name, as the `bucket` of a Region holds them."""
    found: dict[str, bytes] = {}
    for recipe in _recipes():
        template_key, spec_key = _keys(recipe)
        text = documents.dump(recipe.template())
        if recipe.platform is Platform.SMHP:
            text = payload(recipe, _TECHNIQUES[recipe.technique], region)
        found[template_key] = text.encode()
        found[spec_key] = json.dumps(recipe.spec(), indent=2).encode()
    return MappingProxyType(found)


@cache
def _recipes() -> tuple[SnapshotRecipe, ...]:
    return (*recipes(), *hyperpod_variants(), *with_data_mixing())


def _keys(recipe: SnapshotRecipe) -> tuple[str, str]:
    stem, flavour = f"recipes/{recipe.name}", "k8s" if recipe.platform is Platform.SMHP else "sm_jobs"
    return (
        f"{stem}_payload_template_{flavour}_v{recipe.version}.yaml",
        f"{stem}_override_params_{flavour}_v{recipe.version}.json",
    )


def _entry(recipe: SnapshotRecipe, region: str) -> dict[str, Any]:
    entry = {
        "Name": recipe.name,
        "DisplayName": recipe.display_name,
        "Type": "Evaluation" if recipe.evaluates else "FineTuning",
        "Versions": [recipe.version],
        "Hardware": "GPU",
        "SupportedInstanceTypes": list(recipe.instance_types),
        "IsSubscriptionModel": recipe.by_subscription,
    }
    return entry | _files(recipe, region) | ({} if recipe.evaluates else _training_facts(recipe))


def _files(recipe: SnapshotRecipe, region: str) -> dict[str, str]:
    template, spec = (f"s3://{bucket(region)}/{key}" for key in _keys(recipe))
    if recipe.platform is Platform.SMHP:
        return {"HpEksPayloadTemplateS3Uri": template, "HpEksOverrideParamsS3Uri": spec}
    return {"SmtjRecipeTemplateS3Uri": template, "SmtjOverrideParamsS3Uri": spec} | _image(recipe, region)


def _image(recipe: SnapshotRecipe, region: str) -> dict[str, str]:
    """Return the container of a recipe: none in a Region where no container is published, as in the hub."""
    if region not in regions.REGIONS or not regions.region(region).recipe_images:
        return {}
    technique = _TECHNIQUES[recipe.technique]
    uri = images.uri(technique=technique, model=recipe.model, platform=Platform.SMTJ, region=region)
    return {"SmtjImageUri": uri} if uri else {}


def _training_facts(recipe: SnapshotRecipe) -> dict[str, Any]:
    run, length = recipe.values["run"], recipe.values["training_config"]["max_length"]
    # Where others serve the job, they count too: generation, rollout, and six services.
    serving = run["generation_replicas"] + run["rollout_worker_replicas"] + 6 if "generation_replicas" in run else 0
    facts = {
        "CustomizationTechnique": recipe.technique,
        "InstanceCount": run["replicas"] + serving,
        "SequenceLength": f"{length // 1024}K",
    }
    return facts | ({"Peft": "lora"} if recipe.lora else {})
