"""Which models an Amazon Bedrock batch inference job may be asked with.

`CreateModelInvocationJob.modelId` takes foundation models, inference profiles and custom models (API model); neither
deployments nor provisioned models. That it takes a Nova model imported from a checkpoint is documented nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lambda_handlers.catalog.models import NovaModel

_ID: Final = re.compile(
    r"(?:arn:[\w-]+:bedrock:[a-z0-9-]+:(?:\d{12})?:(?P<kind>foundation-model|inference-profile)/)?"
    r"(?:(?P<profile>[a-z]{2,8}(?:-[a-z]{2,8})?)\.)?"
    r"(?P<model>amazon\.nova-[a-z0-9-]+(?::[a-z0-9-]+){0,2})"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchModel:
    """What a model id names: the foundation model, and the inference profile where it is asked through one."""

    model: str
    profile: str | None


def base_id(model: NovaModel) -> str:
    """Return the id that model ids of a Nova model begin with: its type in recipes without the context length."""
    return ":".join(model.model_type.split(":")[:2])


def batch_model(model_id: str) -> BatchModel | None:
    """Return what an id or ARN names, None for what is no Nova foundation model or inference profile of one."""
    found = _ID.fullmatch(model_id)
    if found is None or (found["kind"] and (found["kind"] == "inference-profile") != bool(found["profile"])):
        return None
    profile = f"{found['profile']}.{found['model']}" if found["profile"] else None
    return BatchModel(model=found["model"], profile=profile)


def model_id_problems(model_id: str | None, model: NovaModel) -> Iterator[str]:
    """Yield why a batch inference job of a customization of `model` cannot be asked with `model_id`."""
    base = base_id(model)
    allowed = f"the base model as Bedrock calls it, {base}, or an inference profile of it such as us.{base}"
    if not model_id:
        yield f"model_id is missing, which through bedrock needs: use {allowed}"
        return
    if ":custom-model/" in model_id:
        yield (
            f"model_id is {model_id!r}, but whether Bedrock batch jobs take a Nova model that was imported from a "
            f"checkpoint is not documented: use {allowed}, or through training_job"
        )
        return
    found = batch_model(model_id)
    if found is None or not (found.model == base or found.model.startswith(f"{base}:")):
        yield f"model_id is {model_id!r}, and this customization's model is {model.name}: use {allowed}"
