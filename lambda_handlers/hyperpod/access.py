"""How the Kubernetes API of a HyperPod cluster is reached: what SageMaker and Amazon EKS say of the cluster."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambda_handlers.catalog.clusters import IN_SERVICE
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.errors import InvalidRequest, error_code, service_errors

_NOT_FOUND: Final = ("ResourceNotFound", "ResourceNotFoundException", "ValidationException")
_DENIED: Final = ("AccessDenied", "AccessDeniedException")


@dataclass(frozen=True, kw_only=True, slots=True)
class RestrictedGroup:
    """Describe a restricted instance group, the kind of group that Nova jobs run in, with its instances at present."""

    name: str
    instance_type: str
    current_count: int
    status: str
    execution_role: str
    output_uri: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterAccess:
    """Hold what a client of a cluster's Kubernetes API has to know.

    `ca_pem` is the certificate authority that the API's certificate is verified against; `cluster_id` the last part of
    the HyperPod cluster's ARN, by which its log group is named; `status` that of the HyperPod cluster, `InService` or
    another (DescribeCluster).
    """

    cluster_name: str
    cluster_arn: str
    status: str
    endpoint: str
    ca_pem: str
    eks_cluster_name: str
    restricted_groups: tuple[RestrictedGroup, ...] = ()

    @property
    def region(self) -> str:
        """Return the cluster's Region."""
        return self.cluster_arn.split(":")[3]

    @property
    def account(self) -> str:
        """Return the account that has the cluster."""
        return self.cluster_arn.split(":")[4]

    @property
    def cluster_id(self) -> str:
        """Return the cluster's own identifier."""
        return self.cluster_arn.rpartition("/")[2]


def cluster_access(cluster_name: str) -> ClusterAccess:
    """Return how the cluster's Kubernetes API is reached.

    Calls sagemaker:DescribeCluster and eks:DescribeCluster. Raises InvalidRequest for a cluster that does not exist,
    is not orchestrated by Amazon EKS, or may not be described; TransientServiceError where AWS could not answer now.
    """
    cluster = _described("sagemaker", "HyperPod cluster", cluster_name, ClusterName=cluster_name)
    eks_arn = ((cluster.get("Orchestrator") or {}).get("Eks") or {}).get("ClusterArn")
    if not eks_arn:
        raise InvalidRequest(
            f"HyperPod cluster {cluster_name} is not orchestrated by Amazon EKS but by Slurm: Nova jobs need "
            "one that is. Name a cluster that was created with Orchestrator.Eks."
        )
    eks_name = eks_arn.rpartition("/")[2]
    eks = _described("eks", "EKS cluster", eks_name, name=eks_name)["cluster"]
    if not eks.get("endpoint") or not (eks.get("certificateAuthority") or {}).get("data"):
        raise InvalidRequest(
            f"EKS cluster {eks_name} of HyperPod cluster {cluster_name} has no Kubernetes API yet: it is "
            f"{eks.get('status', 'not ready')}. Wait until it is ACTIVE."
        )
    return ClusterAccess(
        cluster_name=cluster_name,
        cluster_arn=str(cluster["ClusterArn"]),
        status=str(cluster["ClusterStatus"]),
        endpoint=str(eks["endpoint"]).rstrip("/"),
        ca_pem=base64.b64decode(eks["certificateAuthority"]["data"]).decode(),
        eks_cluster_name=eks_name,
        restricted_groups=tuple(_group(each) for each in cluster.get("RestrictedInstanceGroups") or ()),
    )


def cluster_exists(cluster_name: str) -> bool:
    """Return whether there is a HyperPod cluster of that name: what a cluster had is gone with it."""
    try:
        with service_errors():
            client("sagemaker").describe_cluster(ClusterName=cluster_name)
    except Exception as error:
        if error_code(error) in _NOT_FOUND:
            return False
        raise
    return True


def status_problem(access: ClusterAccess) -> str | None:
    """Return why no job can be brought to a cluster that is not in service, else None."""
    if access.status == IN_SERVICE:
        return None
    return (
        f"HyperPod cluster {access.cluster_name} is {access.status}, not {IN_SERVICE}: wait until it is, or name "
        "another cluster."
    )


def _described(service: str, what: str, called: str, **request: str) -> Mapping[str, Any]:
    try:
        with service_errors():
            return dict(client(service).describe_cluster(**request))
    except Exception as error:
        code = error_code(error)
        if code in _NOT_FOUND:
            raise InvalidRequest(
                f"There is no {what} {called} in this account and Region: check the name and the Region."
            ) from error
        if code in _DENIED:
            refusal = f"{what} {called} may not be described: allow {service}:DescribeCluster on it."
            raise InvalidRequest(refusal) from error
        raise


def _group(group: Mapping[str, Any]) -> RestrictedGroup:
    environment = group.get("EnvironmentConfig") or {}
    return RestrictedGroup(
        name=str(group.get("InstanceGroupName", "")),
        instance_type=str(group.get("InstanceType", "")),
        current_count=int(group.get("CurrentCount", 0)),
        status=str(group.get("Status", "")),
        execution_role=str(group.get("ExecutionRole", "")),
        output_uri=str(environment.get("S3OutputPath", "")),
    )
