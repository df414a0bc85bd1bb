"""How many instances a cluster has, and how many of them are taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lambda_handlers.hyperpod.access import ClusterAccess
from lambda_handlers.hyperpod.api import KubernetesApi

_INSTANCE_TYPE: Final = "node.kubernetes.io/instance-type"
_GPU: Final = "nvidia.com/gpu"


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
