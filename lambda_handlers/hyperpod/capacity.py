"""How many instances a job takes, and how many of a cluster's are taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lambda_handlers.hyperpod.access import ClusterAccess
from lambda_handlers.hyperpod.api import KubernetesApi

_INSTANCE_TYPE: Final = "node.kubernetes.io/instance-type"
_GPU: Final = "nvidia.com/gpu"
_RFT_SERVICES: Final = 6
"""Hub, prompter, scorer and three message servers: what the recipe's metadata adds to its replicas."""


def footprint(recipe: Mapping[str, Any], instance_count: int) -> int:
    """Return how many instances a job takes: its own, and with a reinforcement recipe those of what serves it.

    Source: InstanceCount of the public recipes' metadata, replicas + generation + rollout workers + 6.
    """
    run = recipe["run"]
    if "generation_replicas" not in run:
        return instance_count
    extra = int(run.get("generation_replicas") or 0) + int(run.get("rollout_worker_replicas") or 0)
    return instance_count + extra + _RFT_SERVICES


def available(access: ClusterAccess, instance_type: str) -> int:
    """Return how many instances of a type the cluster's restricted groups have now, taken ones included."""
    return sum(group.current_count for group in access.restricted_groups if group.instance_type == instance_type)


def taken(api: KubernetesApi, namespace: str, instance_type: str) -> int:
    """Return how many instances of a type pods of a namespace hold, or wait for.

    Pods of other namespaces are not seen: access is to one namespace only.
    """
    pods = [pod for pod in api.list("Pod", namespace) if _is_alive(pod) and instance_type in _types(pod)]
    nodes = {str(node) for pod in pods if (node := (pod.get("spec") or {}).get("nodeName"))}
    return len(nodes) + sum(1 for pod in pods if not (pod.get("spec") or {}).get("nodeName") and _asks_gpus(pod))


def _is_alive(pod: Mapping[str, Any]) -> bool:
    return (pod.get("status") or {}).get("phase") in (None, "Pending", "Running")


def _types(pod: Mapping[str, Any]) -> set[str]:
    affinity = ((pod.get("spec") or {}).get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms") or ()
    rules: Sequence[Mapping[str, Any]] = [rule for term in terms for rule in term.get("matchExpressions") or ()]
    return {str(value) for rule in rules if rule.get("key") == _INSTANCE_TYPE for value in rule.get("values") or ()}


def _asks_gpus(pod: Mapping[str, Any]) -> bool:
    containers = (pod.get("spec") or {}).get("containers") or ()
    return any(_GPU in ((each.get("resources") or {}).get("requests") or {}) for each in containers)
