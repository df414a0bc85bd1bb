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
RUNS_NOTHING: Final = ("Creating", "Deleting", "Failed")
"""Statuses of a cluster that brings no job to a node (DescribeCluster)."""
CLUSTER_NAME: Final = re.compile(r"[0-9A-Za-z][A-Za-z0-9\-_]{1,100}")
EKS_CLUSTER_NAME: Final = re.compile(r"[0-9A-Za-z][A-Za-z0-9\-_]{0,99}")
NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
GROUP_NAME: Final = re.compile(r"(?!system:)[A-Za-z0-9][A-Za-z0-9:._@/-]{0,62}")
"""Groups that begin with `system:` are Kubernetes' own, and an access entry takes none of them."""
ACCESS_GROUP: Final = "nova-constructs"
"""The Kubernetes group of the functions, unless another is named."""

REWARD_WORD: Final = "SageMaker"
"""What the name of a reward function has to have in it, letter by letter, for a job on HyperPod to call it."""

_EXTRA_REPLICAS: Final = ("generation_replicas", "rollout_worker_replicas")
_RFT_SERVICES: Final = 6
"""Hub, prompter, scorer and three message servers: what the public recipes' metadata add to the replicas of RFT."""
RFT_EXTRA_INSTANCES: Final = 3 + _RFT_SERVICES
"""What reinforcement fine-tuning takes beyond the instances it trains on, while its recipe is not known.

In the public recipes two replicas generate and one rolls out, beside the services.
"""


def usage_quota(instance_type: str) -> str:
    """Return the name of the quota of instances that HyperPod clusters have."""
    return f"{instance_type} for cluster usage"


def replicas_of(recipe: Mapping[str, Any], instance_count: int) -> int:
    """Return how many replicas a job has, each on an instance of its own: those that train, generate and roll out.

    `recipe` are the values of a rendered recipe, `instance_count` the instances that train. The services of
    reinforcement fine-tuning, which may share instances, are not counted.
    """
    run = recipe["run"]
    return instance_count + sum(int(run.get(name) or 0) for name in _EXTRA_REPLICAS)


def footprint(recipe: Mapping[str, Any], instance_count: int) -> int:
    """Return how many instances a job takes where its services, if it has any, share none.

    Source: InstanceCount of the public recipes' metadata, replicas + generation + rollout workers + 6.
    """
    services = _RFT_SERVICES if "generation_replicas" in recipe["run"] else 0
    return replicas_of(recipe, instance_count) + services
