"""What a customization has in Amazon Bedrock, found by its tag: models, deployments, provisioned throughput."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from lambda_handlers.jobs.driver import CUSTOMIZATION_TAG, RUN_TAG
from lambda_handlers.protocol.errors import error_code, service_errors

_PAGE: Final = 1000


class Kind(StrEnum):
    """Say what something is, in the words that people read."""

    MODEL = "model"
    DEPLOYMENT = "deployment"
    PROVISIONED = "provisioned throughput"


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """Describe one thing that bears the customization's tag."""

    kind: Kind
    arn: str
    name: str
    model_arn: str
    """The model that it serves; of a model, its own ARN."""
    status: str
    created: datetime
    run_id: str = ""
    """The run that made it, empty where nothing says so."""
    units: int = 0
    """Model units of provisioned throughput."""
    committed_until: datetime | None = None
    """Before this instant provisioned throughput cannot be deleted (DeleteProvisionedModelThroughput)."""

    @property
    def being_made(self) -> bool:
        """Say whether it is not ready yet, so that it can neither serve nor be deleted."""
        return self.status == "Creating"

    def facts(self) -> dict[str, Any]:
        """Return what the ledger has of it."""
        return {"kind": str(self.kind), "name": self.name, "arn": self.arn, "run_id": self.run_id}


def take(bedrock: Any, customization: str, *, name_contains: str = "", provisioned: bool = True) -> list[Made]:
    """List what carries the customization's tag, what serves first (bedrock:List..., ListTagsForResource).

    Looks at models whose name contains `name_contains` and at what serves one of these; without `provisioned`, not at
    provisioned throughput.
    """
    models = list(_ours(bedrock, customization, _models(bedrock, name_contains)))
    arns = {made.arn for made in models}
    serving = [*_deployments(bedrock), *(_throughputs(bedrock) if provisioned else ())]
    return [*_ours(bedrock, customization, (each for each in serving if each.model_arn in arns)), *models]


def customizations(bedrock: Any) -> list[str]:
    """Return the customizations whose tags models carry, whosoever they are (bedrock:List..., ListTagsForResource)."""
    tags = (tags_of(bedrock, made.arn) or {} for made in _models(bedrock, ""))
    return sorted({each[CUSTOMIZATION_TAG] for each in tags if CUSTOMIZATION_TAG in each})


def _ours(bedrock: Any, customization: str, found: Iterable[Made]) -> Iterator[Made]:
    """Yield what bears the customization's tag, with the run that made it."""
    for made in found:
        # The workflow's policies let it read tags of its own things alone; what was deleted meanwhile has none.
        tags = tags_of(bedrock, made.arn) or {}
        if tags.get(CUSTOMIZATION_TAG) == customization:
            yield replace(made, run_id=tags.get(RUN_TAG, ""))


def tags_of(bedrock: Any, arn: str) -> dict[str, str] | None:
    """Return the tags of a resource, None where they may not be read or it is gone."""
    try:
        with service_errors():
            found = bedrock.list_tags_for_resource(resourceARN=arn)["tags"]
    except Exception as error:
        if error_code(error) in ("AccessDeniedException", "ResourceNotFoundException"):
            return None
        raise
    return {tag["key"]: tag["value"] for tag in found}


def remove(bedrock: Any, kind: Kind, arn: str) -> None:
    """Delete it (bedrock:Delete...); success if it is gone. Raise the service's error where it may not be deleted."""
    operation, identifier = _DELETES[kind]
    try:
        with service_errors():
            getattr(bedrock, operation)(**{identifier: arn})
    except Exception as error:
        if error_code(error) != "ResourceNotFoundException":
            raise


_DELETES: Final[Mapping[Kind, tuple[str, str]]] = {
    Kind.MODEL: ("delete_custom_model", "modelIdentifier"),
    Kind.DEPLOYMENT: ("delete_custom_model_deployment", "customModelDeploymentIdentifier"),
    Kind.PROVISIONED: ("delete_provisioned_model_throughput", "provisionedModelId"),
}


def pages(operation: Callable[..., Mapping[str, Any]], member: str, **request: Any) -> Iterator[Mapping[str, Any]]:
    """Yield everything that a List call of Bedrock answers, page by page."""
    while True:
        with service_errors():
            answer = operation(maxResults=_PAGE, **request)
        yield from answer[member]
        if not answer.get("nextToken"):
            return
        request["nextToken"] = answer["nextToken"]


def _models(bedrock: Any, name_contains: str) -> Iterator[Made]:
    # An empty filter is not a filter: the API takes names of one character or more.
    wanted = {"nameContains": name_contains} if name_contains else {}
    for each in pages(bedrock.list_custom_models, "modelSummaries", **wanted):
        yield Made(
            kind=Kind.MODEL,
            arn=each["modelArn"],
            name=each["modelName"],
            model_arn=each["modelArn"],
            # A model made before statuses were introduced has none and is ready to use (API reference).
            status=each.get("modelStatus", "Active"),
            created=each["creationTime"],
        )


def _deployments(bedrock: Any) -> Iterator[Made]:
    for each in pages(bedrock.list_custom_model_deployments, "modelDeploymentSummaries"):
        yield Made(
            kind=Kind.DEPLOYMENT,
            arn=each["customModelDeploymentArn"],
            name=each["customModelDeploymentName"],
            model_arn=each["modelArn"],
            status=each["status"],
            created=each["createdAt"],
        )


def _throughputs(bedrock: Any) -> Iterator[Made]:
    for each in pages(bedrock.list_provisioned_model_throughputs, "provisionedModelSummaries"):
        yield Made(
            kind=Kind.PROVISIONED,
            arn=each["provisionedModelArn"],
            name=each["provisionedModelName"],
            model_arn=each["modelArn"],
            status=each["status"],
            created=each["creationTime"],
            units=each["modelUnits"],
            committed_until=each.get("commitmentExpirationTime"),
        )
