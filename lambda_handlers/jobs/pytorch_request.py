"""What a job on HyperPod is made of: its objects with their placeholders, its recipe, and where it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lambda_handlers.jobs.choices import instances_of
from lambda_handlers.recipes import payload as payloads

if TYPE_CHECKING:
    from lambda_handlers.jobs.driver import Instances
    from lambda_handlers.training.recipe import ResolvedRecipe

_GRACE_SECONDS: Final = 3600


def pytorch_request(
    *,
    settings: Mapping[str, Any],
    instances: Instances,
    payload: str,
    recipe: Mapping[str, Any],
    image_uri: str,
    output_uri: str,
) -> dict[str, Any]:
    """Return the request for a PyTorchJob: `settings` are those of the platform, `payload` the text of its objects.

    `max_seconds` counts from the creation of the job, pods that wait included, since Kubernetes has one limit for both.
    The reconciler ends a job an hour before, with the reasons of its pods: the limit is there in case it does not.
    """
    limits = settings["max_runtime_seconds"] + (settings.get("max_pending_seconds") or 0)
    return {
        "cluster_name": settings["cluster_name"],
        "namespace": settings["namespace"],
        "instance_type": instances.type,
        "instance_count": instances.count,
        "max_seconds": limits + _GRACE_SECONDS,
        "max_pending_seconds": settings.get("max_pending_seconds"),
        "payload": payloads.parse(payload),
        "recipe": dict(recipe),
        "image_uri": image_uri,
        "output_uri": output_uri,
    }


def request_of_recipe(settings: Mapping[str, Any], resolved: ResolvedRecipe, output_uri: str) -> dict[str, Any]:
    """Return the request for a PyTorchJob of a resolved recipe, on the instances of its settings."""
    return pytorch_request(
        settings=settings,
        instances=instances_of(settings),
        payload=resolved.payload,
        recipe=resolved.recipe.values,
        image_uri=resolved.image_uri,
        output_uri=output_uri,
    )
