"""Jobs on HyperPod clusters, as the caller may see them: the Kubernetes API by the caller's own access entry."""

from __future__ import annotations

import os

_WORDS = {"RUNNING": "InProgress", "COMPLETED": "Completed", "FAILED": "Failed", "STOPPED": "Stopped"}
"""How jobs stand, in the words that SageMaker has for training jobs."""


def job_state(cluster_name: str, namespace: str, job: str) -> str | None:
    """Return how a PyTorchJob stands, `InProgress` and so on with what its conditions say; None if there is none.

    Raises InvalidRequest or TransientServiceError if the cluster does not answer the caller.
    """
    from lambda_handlers.hyperpod.access import cluster_access
    from lambda_handlers.hyperpod.api import KubernetesApi
    from lambda_handlers.hyperpod.conditions import status_of, why

    go_by_region()
    found = KubernetesApi(cluster_access(cluster_name)).get("PyTorchJob", namespace, job)
    if found is None:
        return None
    return ", ".join(filter(None, (_WORDS[status_of(found).value], why(found))))


def go_by_region() -> None:
    """Have clients that functions open, too, go by AWS_REGION: boto3 itself reads only AWS_DEFAULT_REGION."""
    if region := os.environ.get("AWS_REGION"):
        os.environ.setdefault("AWS_DEFAULT_REGION", region)
