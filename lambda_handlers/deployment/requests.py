"""What Amazon Bedrock is asked for: a custom model of a checkpoint, what serves it, and another model behind that."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers.catalog import DeployTarget
from lambda_handlers.jobs import deployment_updates, throughput_updates
from lambda_handlers.jobs.custom_models import MORE_TAGS

CHECKPOINT_TAG: Final = "nova-constructs:checkpoint"
DATASET_TAG: Final = "nova-constructs:dataset"
RECIPE_TAG: Final = "nova-constructs:recipe"
_TAG_VALUE: Final = re.compile(r"[a-zA-Z0-9\s._:/=+@-]{0,256}")
_COMMITMENTS: Final = {"ONE_MONTH": "OneMonth", "SIX_MONTHS": "SixMonths"}
_SERVE: Final = {DeployTarget.BEDROCK_OD: "CustomModelDeployment", DeployTarget.BEDROCK_PT: "ProvisionedThroughput"}
_UPDATE: Final = {DeployTarget.BEDROCK_OD: "DeploymentUpdate", DeployTarget.BEDROCK_PT: "ThroughputUpdate"}


def custom_model(
    *, checkpoint_uri: str, role_arn: str, tags: Mapping[str, str] | None = None, key_arn: str | None = None
) -> dict[str, Any]:
    """Return the body of CreateCustomModel without name, token and the tags of every job.

    The role reads the escrow bucket; for a model package, whose ARN may stand in place of a checkpoint's address,
    Bedrock takes none. `tags` say what the model was made of, `key_arn` is the KMS key of its own.
    """
    body: dict[str, Any] = {"modelKmsKeyArn": key_arn} if key_arn else {}
    if checkpoint_uri.startswith("arn:"):
        body["customModelDataSource"] = {"modelPackageArnDataSource": {"modelPackageArn": checkpoint_uri}}
    else:
        body |= {"modelSourceConfig": {"s3DataSource": {"s3Uri": checkpoint_uri}}, "roleArn": role_arn}
    return {**body, MORE_TAGS: dict(tags)} if tags else body


def origin_tags(checkpoint_uri: str, origin: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags that tell a model's checkpoint and, where they are known, the hashes of dataset and recipe."""
    hashes = {DATASET_TAG: origin.get("dataset_sha256"), RECIPE_TAG: origin.get("recipe_sha256")}
    return {CHECKPOINT_TAG: checkpoint_tag(checkpoint_uri), **{key: value for key, value in hashes.items() if value}}


def checkpoint_tag(uri: str) -> str:
    """Return an address as the value of a tag; its SHA-256 where Bedrock does not take it (256 of some characters)."""
    if _TAG_VALUE.fullmatch(uri):
        return uri
    return f"sha256:{hashlib.sha256(uri.encode()).hexdigest()}"


def serving(settings: Mapping[str, Any], model_arn: str) -> tuple[str, dict[str, Any]]:
    """Return the kind of job that serves a model, and the body of its create call without name, token and tags."""
    target = DeployTarget(settings["target"])
    if target is DeployTarget.BEDROCK_OD:
        return _SERVE[target], deployment(model_arn=model_arn)
    request: dict[str, Any] = {"modelId": model_arn, "modelUnits": settings["model_units"]}
    if settings.get("commitment"):
        request["commitmentDuration"] = _COMMITMENTS[settings["commitment"]]
    return _SERVE[target], request


def deployment(*, model_arn: str) -> dict[str, Any]:
    """Return the body of CreateCustomModelDeployment without name, token and tags."""
    return {"modelArn": model_arn}


def update(settings: Mapping[str, Any], arn: str, model_arn: str) -> tuple[str, dict[str, Any]]:
    """Return the kind of job that puts another model behind what serves one, and the body of its call."""
    target = DeployTarget(settings["target"])
    of = deployment_updates if target is DeployTarget.BEDROCK_OD else throughput_updates
    return _UPDATE[target], of.update_request(arn, model_arn)
