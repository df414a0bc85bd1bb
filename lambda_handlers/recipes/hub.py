"""The public hub: the recipes of a model, the choice of one, and its template and override spec in S3."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from lambda_handlers.catalog.evaluations import EvaluationTask, RecipeKind
from lambda_handlers.catalog.methods import TrainingMethod
from lambda_handlers.catalog.models import NovaModel
from lambda_handlers.catalog.platforms import Platform
from lambda_handlers.hyperpod import configs
from lambda_handlers.protocol.errors import RecipeInvalid, UnsupportedCombination, error_code, service_errors
from lambda_handlers.recipes import own_document
from lambda_handlers.recipes import payload as payloads
from lambda_handlers.recipes.hub_shapes import entry_problems, spec_problems
from lambda_handlers.recipes.places import ObjectApi, object_place, read_object

HUB_NAME = "SageMakerPublicHub"

# A payload is a rendered Helm chart, which tells of every part what template it is from.
_PAYLOAD = re.compile(r"^# Source: \S*training-config\.yaml$", re.MULTILINE)

# Stands in the places of recipes by subscription for the account that has it (Nova Customization SDK).
_ACCOUNT = "{customer_id}"

Entry = Mapping[str, Any]


class HubApi(Protocol):
    """Describe the part of the SageMaker client that is used here."""

    def describe_hub_content(self, **request: Any) -> Mapping[str, Any]:
        """Return a hub content with its document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubContent:
    """Hold what the hub says of a model: the version and ARN of the entry, and its recipes as the hub has them.

    `account` is whose it was asked for: places of recipes by subscription have it in them.
    """

    model: NovaModel
    version: str
    arn: str
    recipes: tuple[Entry, ...]
    account: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRecipe:
    """Describe one recipe of the hub for one platform.

    `image_uri` is empty on HyperPod, where the payload template names the image.
    """

    name: str
    display_name: str
    instance_types: tuple[str, ...]
    image_uri: str
    template_uri: str
    spec_uri: str
    by_subscription: bool = False
    """Whether only accounts with a Nova Forge subscription can read it."""


class RecipeTemplate(NamedTuple):
    """Hold a recipe's template and its override spec."""

    template: Mapping[str, Any]
    spec: Mapping[str, Mapping[str, Any]]


def fetch(sagemaker: HubApi, model: NovaModel, content_version: str | None = None, *, account: str = "") -> HubContent:
    """Return the hub's entry of a model: the given version, by default the latest; `account` is the caller's.

    Raises:
        RecipeInvalid: The hub has no such version, or its document has no recipes or malformed ones.
        TransientServiceError: The service could not answer now.
    """
    request = {"HubName": HUB_NAME, "HubContentType": "Model", "HubContentName": model.hub_content_name}
    if content_version:
        request["HubContentVersion"] = content_version
    found = _describe(sagemaker, request)
    return HubContent(
        model=model,
        version=str(found["HubContentVersion"]),
        arn=str(found["HubContentArn"]),
        recipes=_recipes(found["HubContentDocument"], model),
        account=account,
    )


def _describe(sagemaker: HubApi, request: dict[str, str]) -> Mapping[str, Any]:
    try:
        with service_errors():
            return sagemaker.describe_hub_content(**request)
    except Exception as error:
        if error_code(error) not in ("ResourceNotFound", "ResourceNotFoundException"):
            raise
        what = " ".join(request[key] for key in ("HubContentName", "HubContentVersion") if key in request)
        raise RecipeInvalid(f"The hub {HUB_NAME} has no content {what}.") from error


def _recipes(document: object, model: NovaModel) -> tuple[Entry, ...]:
    try:
        parsed = json.loads(document) if isinstance(document, str) else document
    except (ValueError, RecursionError) as error:
        raise RecipeInvalid(f"The hub document of {model.hub_content_name} is not JSON: {error}.") from error
    collection = parsed.get("RecipeCollection") if isinstance(parsed, Mapping) else None
    if not isinstance(collection, list):
        raise RecipeInvalid(f"The hub document of {model.hub_content_name} has no RecipeCollection.")
    entries = tuple(entry for entry in collection if isinstance(entry, Mapping))
    if problems := [problem for entry in entries for problem in entry_problems(entry)]:
        raise RecipeInvalid(f"The hub document of {model.hub_content_name} is malformed.", problems=problems)
    return entries


def select(
    content: HubContent,
    work: TrainingMethod | EvaluationTask,
    platform: Platform,
    instance_type: str | None,
    *,
    mixing: bool = False,
) -> HubRecipe:
    """Return the hub's recipe for a method or an evaluation task on a platform and an instance type (None: any).

    With `mixing`, only the recipes that mix data of Nova's own come into question; without it, those that need a Nova
    Forge subscription are passed over. Where several remain, the hub's order decides.

    Raises:
        UnsupportedCombination: The hub has no such recipe; the message says what is missing and what there is.
    """
    what = (
        f"{work.name} with data mixing for {content.model.name}" if mixing else f"{work.name} for {content.model.name}"
    )
    public = [entry for entry in content.recipes if (_mixes(entry) if mixing else not _needs_subscription(entry))]
    uri = "SmtjRecipeTemplateS3Uri" if platform is Platform.SMTJ else "HpEksPayloadTemplateS3Uri"
    has = f"It has: {', '.join(str(entry.get('Name', '')) for entry in public) or 'none'}."
    has += " Data mixing needs a Nova Forge subscription of this account." if mixing else ""
    entries = _narrow(public, lambda entry: _serves(entry, work), f"The hub has no recipe for {what}. {has}")
    refusal = f"The hub has no recipe for {what} on {platform}. {has}"
    entries = _narrow(entries, lambda entry: bool(entry.get(uri)), refusal)
    types = sorted({each for entry in entries for each in entry.get("SupportedInstanceTypes") or ()})
    refusal = f"The recipes for {what} on {platform} do not run on {instance_type}; they run on {', '.join(types)}."
    chosen = _narrow(entries, lambda entry: _runs_on(entry, instance_type), refusal)[0]
    return _recipe(chosen, platform, what, content.account)


def _needs_subscription(entry: Entry) -> bool:
    return entry.get("IsSubscriptionModel") is True


def _mixes(entry: Entry) -> bool:
    return _needs_subscription(entry) and "datamix" in str(entry.get("Name", "")).lower()


def has_recipe(content: HubContent, work: TrainingMethod | EvaluationTask) -> bool:
    """Return whether the hub has any recipe for a method or an evaluation task."""
    return any(_serves(entry, work) for entry in content.recipes)


def _narrow(entries: Iterable[Entry], keep: Callable[[Entry], bool], refusal: str) -> list[Entry]:
    kept = [entry for entry in entries if keep(entry)]
    if not kept:
        raise UnsupportedCombination(refusal)
    return kept


def _serves(entry: Entry, work: TrainingMethod | EvaluationTask) -> bool:
    if isinstance(work, EvaluationTask):
        return entry.get("Type") == "Evaluation" and _is_of_kind(entry, work.recipe_kind)
    technique = str(entry.get("CustomizationTechnique", "")).upper()
    if work.hub_technique is None or technique != work.hub_technique:
        return False
    return work.lora is None or bool(entry.get("Peft")) is work.lora


def _is_of_kind(entry: Entry, kind: RecipeKind) -> bool:
    words = re.sub(r"[^a-z0-9]+", "_", f"{entry.get('Name', '')} {entry.get('DisplayName', '')}".lower())
    rubric = RecipeKind.RUBRIC_JUDGE.value in words
    return kind.value in words and (kind is RecipeKind.RUBRIC_JUDGE or not rubric)


def _runs_on(entry: Entry, instance_type: str | None) -> bool:
    types = entry.get("SupportedInstanceTypes")
    return not types or instance_type is None or instance_type in types


def _recipe(entry: Entry, platform: Platform, what: str, account: str) -> HubRecipe:
    smtj = platform is Platform.SMTJ
    spec = entry.get("SmtjOverrideParamsS3Uri" if smtj else "HpEksOverrideParamsS3Uri")
    image = entry.get("SmtjImageUri", "") if smtj else ""
    if not spec or (smtj and not image):
        missing = "override parameters" if not spec else "container image in this Region"
        raise UnsupportedCombination(f"The hub's recipe for {what} on {platform} has no {missing}.")
    return HubRecipe(
        name=str(entry.get("Name", "")),
        display_name=str(entry.get("DisplayName", "")),
        instance_types=tuple(entry.get("SupportedInstanceTypes") or ()),
        image_uri=str(image),
        template_uri=str(entry["SmtjRecipeTemplateS3Uri" if smtj else "HpEksPayloadTemplateS3Uri"]).replace(
            _ACCOUNT, account
        ),
        spec_uri=str(spec).replace(_ACCOUNT, account),
        by_subscription=_needs_subscription(entry),
    )


def load_template(s3: ObjectApi, recipe: HubRecipe) -> RecipeTemplate:
    """Return the template and the override spec of a recipe; on HyperPod, the one inside its payload.

    Raises:
        RecipeInvalid: An object is missing, cannot be read, or is not what the hub says it is.
        TransientServiceError: The service could not answer now.
    """
    text = _read(s3, recipe)
    recipe_text = _embedded(text, recipe.template_uri) if _PAYLOAD.search(text) else text
    template = own_document.read(recipe_text.encode(), recipe.template_uri, unique_keys=False)
    spec = _spec(_read(s3, recipe, recipe.spec_uri), recipe.spec_uri)
    problems = [*own_document.value_problems(template), *own_document.value_problems(spec), *spec_problems(spec)]
    if problems:
        raise RecipeInvalid(f"The hub's files of recipe {recipe.name} are malformed.", problems=problems)
    return RecipeTemplate(template, spec)


def load_payload(s3: ObjectApi, recipe: HubRecipe) -> str:
    """Return the text of the HyperPod objects that a recipe stands in; it is empty where the recipe stands alone.

    Raises as `load_template` does.
    """
    text = _read(s3, recipe)
    return text if _PAYLOAD.search(text) else ""


def _embedded(text: str, source: str) -> str:
    """Return the recipe inside a payload, without what each part of a job finds different in its own."""
    objects = payloads.parse(text, source)
    found = configs.of_training(objects)
    if found is None:
        raise RecipeInvalid(f"{source} has no ConfigMap training-config with a recipe in it.")
    return found


def _spec(text: str, uri: str) -> Mapping[str, Mapping[str, Any]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecipeInvalid(f"{uri} is not JSON: {error}.") from error
    if not isinstance(found, dict):
        raise RecipeInvalid(f"{uri} is not a mapping of parameters.")
    return {name: entry for name, entry in found.items() if isinstance(entry, dict)}


def _read(s3: ObjectApi, recipe: HubRecipe, uri: str | None = None) -> str:
    """Return the text of an object of a recipe, by default that of its template."""
    uri = uri or recipe.template_uri
    place = object_place(uri)
    if place is None:
        raise RecipeInvalid(f"The hub names {uri!r}, which is not the location of an object.")
    subscription = ":accesspoint/" in uri or recipe.by_subscription
    advice = ": check that the account has a Nova Forge subscription" if recipe.by_subscription else ""
    missing = f"The hub names {uri}, which does not exist{advice}."
    denied = f"The hub names {uri}, which cannot be read: {_remedy(subscription=subscription)}."
    try:
        return read_object(s3, place, missing=missing, denied=denied).decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecipeInvalid(f"{uri} is not text in UTF-8: {error}.") from error


def _remedy(*, subscription: bool) -> str:
    allow = "allow s3:GetObject on it"
    return f"{allow}, and check that the account has a Nova Forge subscription" if subscription else allow
