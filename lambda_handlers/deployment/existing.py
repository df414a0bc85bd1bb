"""What there is already: a model of the same checkpoint, or something that serves models under the same name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_handlers.catalog import DeployTarget
from lambda_handlers.deployment.inventory import pages, tags_of
from lambda_handlers.deployment.requests import CHECKPOINT_TAG, checkpoint_tag
from lambda_handlers.deployment.stages import IMPORT
from lambda_handlers.jobs.driver import CUSTOMIZATION_TAG, RUN_TAG
from lambda_handlers.protocol.errors import error_code, service_errors
from lambda_handlers.protocol.registry import JobRegistry, RowStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class Serving:
    """What serves a model under a name; `status` and `failure` are Bedrock's own, `tags` None if they may not be read.

    The policies let a function read the tags of what is its customization's, and of nothing else.
    """

    arn: str
    name: str
    model_arn: str
    status: str
    failure: str
    tags: Mapping[str, str] | None

    def is_of(self, customization: str) -> bool:
        """Say whether it was made by this customization."""
        return self.tags is not None and self.tags.get(CUSTOMIZATION_TAG) == customization

    @property
    def run_id(self) -> str:
        """The run that made it, or nothing."""
        return (self.tags or {}).get(RUN_TAG, "")


def serving(bedrock: Any, target: str, name: str) -> Serving | None:
    """Return what serves a model under a name, or None (bedrock:List…, ListTagsForResource)."""
    if DeployTarget(target) is DeployTarget.BEDROCK_OD:
        found = pages(bedrock.list_custom_model_deployments, "modelDeploymentSummaries", nameContains=name)
        names = ("customModelDeploymentName", "customModelDeploymentArn")
    else:
        found = pages(bedrock.list_provisioned_model_throughputs, "provisionedModelSummaries", nameContains=name)
        names = ("provisionedModelName", "provisionedModelArn")
    for each in found:
        if each[names[0]] == name:
            arn = str(each[names[1]])
            return Serving(
                arn=arn,
                name=name,
                model_arn=str(each["modelArn"]),
                status=str(each["status"]),
                failure=str(each.get("failureMessage", "")),
                tags=tags_of(bedrock, arn),
            )
    return None


def reusable_model(
    bedrock: Any,
    registry: JobRegistry,
    *,
    slug: str,
    customization: str,
    checkpoint_uri: str,
    run_id: str,
    key_arn: str | None = None,
) -> tuple[str, str] | None:
    """Return a model that an earlier run of the customization made of a checkpoint, and that run; or None.

    Only one that is ready for use, encrypted with the key asked for, and that no run that was given up is about to
    delete. The run's own model is not looked for here: its registry row leads to it.
    """
    wanted = {CUSTOMIZATION_TAG: customization, CHECKPOINT_TAG: checkpoint_tag(checkpoint_uri)}
    models = pages(bedrock.list_custom_models, "modelSummaries", nameContains=slug)
    for model in models:
        if not str(model["modelName"]).startswith(f"{slug}-") or model.get("modelStatus", "Active") != "Active":
            continue
        tags = tags_of(bedrock, str(model["modelArn"]))
        if tags is None or {key: tags.get(key) for key in wanted} != wanted:
            continue
        maker = tags.get(RUN_TAG, "")
        if maker != run_id and _is_kept(registry, maker) and _has_key(bedrock, str(model["modelArn"]), key_arn):
            return str(model["modelArn"]), maker
    return None


def is_being_removed(registry: JobRegistry, run_id: str, stage: str) -> bool:
    """Say whether a run has given up what it made in a stage."""
    row = registry.get(run_id, stage)
    return row is not None and row.status in (RowStatus.CANCELLED, RowStatus.STOPPING)


def _has_key(bedrock: Any, model_arn: str, key_arn: str | None) -> bool:
    """Say whether a model is encrypted with this key (None: Bedrock's own); not where the model has gone meanwhile."""
    try:
        with service_errors():
            model = bedrock.get_custom_model(modelIdentifier=model_arn)
    except Exception as error:
        if error_code(error) in ("AccessDeniedException", "ResourceNotFoundException"):
            return False
        raise
    return bool(model.get("modelKmsKeyArn") == key_arn)


def _is_kept(registry: JobRegistry, run_id: str) -> bool:
    row = registry.get(run_id, IMPORT)
    # Closed rows expire; what is still there then was kept.
    return row is None or (row.status is RowStatus.CLOSED and row.outcome is not None and row.outcome.succeeded)
