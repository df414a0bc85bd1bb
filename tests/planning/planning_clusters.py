"""HyperPod clusters as the plan meets them, in memory: what SageMaker and EKS say of one, and its Kubernetes API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lambda_handlers.hyperpod.access import ClusterAccess, RestrictedGroup
from lambda_handlers.hyperpod.api import ObjectExists
from lambda_handlers.protocol.errors import InvalidRequest
from tests.checks.checks_support import HYPERPOD_FUNCTION, ROLE
from tests.planning.planning_world import CONFIG

P5 = "ml.p5.48xlarge"
REWARD = HYPERPOD_FUNCTION


def hyperpod(count: int = 4, **changes: Any) -> dict[str, Any]:
    """Return the settings of a platform on HyperPod."""
    return {
        "platform": "SMHP",
        "cluster_name": "hp",
        "eks_cluster_name": "hp",
        "namespace": "kubeflow",
        "instance_type": P5,
        "instance_count": count,
        "max_runtime_seconds": 86400,
        "max_pending_seconds": 7200,
        **changes,
    }


def config(method: str = "SFT_LORA", training: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Return a customization all of whose jobs run on HyperPod."""
    evaluation = {**CONFIG["evaluation"][0], **hyperpod(1)}
    return {
        **CONFIG,
        "method": method,
        "training": dict(training or hyperpod()),
        "overrides": {},
        "evaluation": [evaluation],
        **changes,
    }


def group(count: int = 16, instance_type: str = P5, status: str = "InService") -> RestrictedGroup:
    """Return a restricted instance group."""
    return RestrictedGroup(
        name="nova", instance_type=instance_type, current_count=count, status=status, execution_role=ROLE, output_uri=""
    )


@dataclass(kw_only=True)
class Cluster:
    """A cluster, and what its Kubernetes API answers: `denied` are (verb, resource), `pods` those of the namespace."""

    groups: tuple[RestrictedGroup, ...] = (group(),)
    status: str = "InService"
    eks_name: str = "hp"
    exists: bool = True
    namespaces: tuple[str, ...] = ("kubeflow",)
    existing: bool = False
    denied: set[tuple[str, str]] = field(default_factory=set)
    deny_all: bool = False
    failure: Exception | None = None
    pods: list[dict[str, Any]] = field(default_factory=list)
    created: list[dict[str, Any]] = field(default_factory=list)
    access: ClusterAccess | None = None

    def reach(self, name: str) -> ClusterAccess:
        """Return how the cluster is reached."""
        if not self.exists:
            raise InvalidRequest(f"There is no HyperPod cluster {name} in this account and Region.")
        self.access = ClusterAccess(
            cluster_name=name,
            cluster_arn="arn:aws:sagemaker:us-east-1:123456789012:cluster/abcdefghijkl",
            status=self.status,
            endpoint="https://10.0.0.1",
            ca_pem="",
            eks_cluster_name=self.eks_name,
            restricted_groups=self.groups,
        )
        return self.access

    def speak(self, access: ClusterAccess) -> Any:
        """Return the client of its API, which is the cluster itself."""
        self.access = access
        return self

    def review(self, verb: str, _group: str, resource: str, _namespace: str) -> bool:
        """Answer a SelfSubjectAccessReview."""
        if self.failure:
            raise self.failure
        return not self.deny_all and (verb, resource) not in self.denied

    def create(self, body: Mapping[str, Any], *, dry_run: bool) -> dict[str, Any]:
        """Answer a create that creates nothing."""
        assert dry_run
        self.created.append(dict(body))
        if body["metadata"]["namespace"] not in self.namespaces:
            raise InvalidRequest(f"HyperPod cluster hp has no namespace {body['metadata']['namespace']} (404)")
        if self.existing:
            raise ObjectExists("it exists")
        return dict(body)

    def list(self, kind: str, _namespace: str) -> list[dict[str, Any]]:
        """Return the pods."""
        assert kind == "Pod"
        return self.pods


def pod(node: str, instance_type: str = P5) -> dict[str, Any]:
    """Return a pod of a job that runs on a node."""
    rule = {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": [instance_type]}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [rule]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    return {"spec": {"nodeName": node, "affinity": affinity, "containers": []}, "status": {"phase": "Running"}}
