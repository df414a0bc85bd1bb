"""The instances of restricted instance groups, as nodes that pods are put on.

What each type has follows the EC2 pages of the families P4, P5, G5 and G6; the counts of EFA
adapters are those of the HyperPod recipes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nova_constructs.emulator.simulators.hyperpod_clusters import ClusterRecord, RestrictedGroup

TAINT_KEY = "sagemaker.amazonaws.com/RestrictedNode"
TAINT_VALUE = "Worker"
GPU, EFA = "nvidia.com/gpu", "vpc.amazonaws.com/efa"
_GIB = 1024.0**3

_SIZES: Mapping[str, tuple[int, int, int, int]] = {
    "ml.p5.48xlarge": (8, 32, 192, 2048),
    "ml.p5en.48xlarge": (8, 16, 192, 2048),
    "ml.p4d.24xlarge": (8, 4, 96, 1152),
    "ml.g5.4xlarge": (1, 0, 16, 64),
    "ml.g5.8xlarge": (1, 1, 32, 128),
    "ml.g5.12xlarge": (4, 1, 48, 192),
    "ml.g5.16xlarge": (1, 1, 64, 256),
    "ml.g5.24xlarge": (4, 1, 96, 384),
    "ml.g5.48xlarge": (8, 1, 192, 768),
    "ml.g6.4xlarge": (1, 0, 16, 64),
    "ml.g6.8xlarge": (1, 1, 32, 128),
    "ml.g6.12xlarge": (4, 1, 48, 192),
    "ml.g6.16xlarge": (1, 1, 64, 256),
    "ml.g6.24xlarge": (4, 1, 96, 384),
    "ml.g6.48xlarge": (8, 1, 192, 768),
}
"""GPUs, network adapters (EFA), virtual CPUs and GiB of memory by instance type."""

INSTANCE_TYPES = frozenset(_SIZES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One instance: its labels, and how much of each resource it has."""

    name: str
    group: RestrictedGroup
    labels: Mapping[str, str]
    capacity: Mapping[str, float]


def nodes_of(cluster: ClusterRecord) -> Iterator[Node]:
    """Yield the instances that a cluster has now; a group that is not in service has none."""
    for group in cluster.groups:
        if group.status == "InService":
            for index in range(group.count):
                yield _node(cluster, group, index)


def _node(cluster: ClusterRecord, group: RestrictedGroup, index: int) -> Node:
    instance = hashlib.sha256(f"{cluster.arn}/{group.name}/{index}".encode()).hexdigest()[:17]
    name = f"hyperpod-i-{instance}"
    gpus, adapters, processors, memory = _SIZES[group.instance_type]
    labels = {
        "kubernetes.io/hostname": name,
        "node.kubernetes.io/instance-type": group.instance_type,
        "sagemaker.amazonaws.com/instance-group-type": "Restricted",
        "sagemaker.amazonaws.com/instance-group-name": group.name,
        "sagemaker.amazonaws.com/node-health-status": "Schedulable",
    }
    capacity = {
        GPU: float(gpus),
        EFA: float(adapters),
        "cpu": float(processors),
        "memory": memory * _GIB,
        "ephemeral-storage": 1000 * _GIB,
        "hugepages-2Mi": 32 * _GIB,
        "pods": 110.0,
    }
    return Node(name=name, group=group, labels=labels, capacity=capacity)
