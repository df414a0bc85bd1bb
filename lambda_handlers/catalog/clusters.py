"""SageMaker HyperPod clusters: what may be called how, their quotas, and the instances that a job takes.

Sources: SageMaker API reference, CreateCluster and DescribeCluster; Kubernetes, "Object names"; Amazon EKS API
reference, CreateAccessEntry; Amazon Nova user guide, "Reinforcement fine-tuning on SageMaker HyperPod"; metadata of the
public recipes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

IN_SERVICE: Final = "InService"
CLUSTER_NAME: Final = re.compile(r"[0-9A-Za-z][A-Za-z0-9\-_]{1,100}")
EKS_CLUSTER_NAME: Final = re.compile(r"[0-9A-Za-z][A-Za-z0-9\-_]{0,99}")
NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
GROUP_NAME: Final = re.compile(r"(?!system:)[A-Za-z0-9][A-Za-z0-9:._@/-]{0,62}")
"""Groups that begin with `system:` are Kubernetes' own, and an access entry takes none of them."""
ACCESS_GROUP: Final = "nova-constructs"
"""The Kubernetes group of the functions, unless another is named."""

REWARD_WORD: Final = "SageMaker"
"""What the name of a reward function has to have in it, letter by letter, for a job on HyperPod to call it."""

HELPER_INSTANCES: Final = 6
"""What the recipes' metadata count for the services of reinforcement fine-tuning beside its replicas.

They have no GPU and may share instances with each other, not with those that train or generate; that six are needed is
what the metadata say, not what Kubernetes asks.
"""
_EXTRA_REPLICAS: Final = ("generation_replicas", "rollout_worker_replicas")
_USUAL_EXTRA: Final = 3
"""Replicas that generate and roll out in the public recipes: two and one."""


def usage_quota(instance_type: str) -> str:
    """Return the name of the quota of instances that HyperPod clusters have."""
    return f"{instance_type} for cluster usage"


def footprint(recipe: Mapping[str, Any]) -> int:
    """Return how many instances the replicas of a job need: those that train and, in a rollout, generate and collect.

    `recipe` are the values of a rendered recipe. The services of reinforcement fine-tuning are not counted.
    """
    run = recipe["run"]
    return sum(int(run.get(name) or 0) for name in ("replicas", *_EXTRA_REPLICAS))


def has_helpers(recipe: Mapping[str, Any]) -> bool:
    """Return whether a job has services beside its replicas, as reinforcement fine-tuning does."""
    return any(name in recipe["run"] for name in _EXTRA_REPLICAS)


def most_extra_instances() -> int:
    """Return how many instances reinforcement fine-tuning takes beyond those it trains on, for a bound of its cost."""
    return _USUAL_EXTRA + HELPER_INSTANCES
