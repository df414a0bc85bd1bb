"""What a job on HyperPod is made of: its objects with their placeholders, its recipe, and where it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers.recipes import payload as payloads

_GRACE_SECONDS: Final = 3600


def pytorch_request(
    *,
    settings: Mapping[str, Any],
    instance_type: str,
    instance_count: int,
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
        "instance_type": instance_type,
        "instance_count": instance_count,
        "max_seconds": limits + _GRACE_SECONDS,
        "max_pending_seconds": settings.get("max_pending_seconds"),
        "payload": payloads.parse(payload),
        "recipe": dict(recipe),
        "image_uri": image_uri,
        "output_uri": output_uri,
    }
