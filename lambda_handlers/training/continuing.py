"""The recipe of a further training stage: planned before there is a checkpoint, finished when there is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers.catalog.checkpoints import CHECKPOINT_FORM, is_checkpoint
from lambda_handlers.protocol.errors import JobFailed, RecipeInvalid, service_errors
from lambda_handlers.recipes import documents

CHECKPOINT_TO_COME: Final = "s3://customer-escrow-000000000000-smtj-planned/checkpoint"
"""Stands for the checkpoint that training will make, so that what comes after it can be checked before it is bought."""


def planned_folder(folder: str) -> str:
    """Return the folder of a recipe that waits for its checkpoint: it is no input of a job, and stays as planned."""
    return f"{folder}/planned"


def finished(recipe: Mapping[str, Any], checkpoint: Any, *, stage: str) -> dict[str, Any]:
    """Return a planned recipe with the checkpoint, `{uri, platform}`, in the place of what stands for it.

    Raises JobFailed where there is no checkpoint: training never falls back to the model as Amazon publishes it. Raises
    RecipeInvalid where the recipe has no place for it.
    """
    uri = checkpoint.get("uri") if isinstance(checkpoint, Mapping) else None
    if not isinstance(uri, str) or not is_checkpoint(uri):
        raise JobFailed(
            f"The stage {stage} goes on from the checkpoint of the stage before it, and that left none: received "
            f"{uri!r}, needed {CHECKPOINT_FORM}."
        )
    if recipe["run"]["model_name_or_path"] != CHECKPOINT_TO_COME:
        raise RecipeInvalid(
            f"The recipe of {stage} has {recipe['run']['model_name_or_path']!r} as model_name_or_path, where it was "
            f"planned to take the checkpoint of the stage before it ({CHECKPOINT_TO_COME})."
        )
    complete: dict[str, Any] = replaced(recipe, CHECKPOINT_TO_COME, uri)
    return complete


def store(s3: Any, recipe: Mapping[str, Any], uri: str) -> None:
    """Write a finished recipe where its job reads it; again with the same bytes when a call is repeated."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    with service_errors():
        s3.put_object(Bucket=bucket, Key=key, Body=documents.dump(recipe).encode())


def replaced(value: Any, old: str, new: str) -> Any:
    """Return a recipe, or a part of one, with `new` wherever `old` is the whole value."""
    if isinstance(value, Mapping):
        return {key: replaced(each, old, new) for key, each in value.items()}
    if isinstance(value, list):
        return [replaced(each, old, new) for each in value]
    return new if value == old else value
