"""SageMaker's view of HyperPod clusters on Amazon EKS; they are made by `Emulator.hyperpod`, not through the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.sagemaker.responses import SageMakerResponse

from nova_constructs.emulator.simulators.operations import FALL_BACK, Parameters, aws_error, serve
from nova_constructs.emulator.simulators.state import SimulatorState, Undo
from nova_constructs.emulator.simulators.store import Store, store_of


@dataclass(slots=True, kw_only=True)
class RestrictedGroup:
    """A restricted instance group; `count` is how many instances it has now, `status` the API's."""

    name: str
    instance_type: str
    count: int
    execution_role: str
    output_uri: str
    status: str = "InService"

    def described(self) -> dict[str, Any]:
        """Return the group as DescribeCluster shows it."""
        return {
            "InstanceGroupName": self.name,
            "InstanceType": self.instance_type,
            "CurrentCount": self.count,
            "TargetCount": self.count,
            "ExecutionRole": self.execution_role,
            "ThreadsPerCore": 2,
            "Status": self.status,
            "EnvironmentConfig": {
                "FSxLustreConfig": {"SizeInGiB": 12000, "PerUnitStorageThroughput": 250},
                "S3OutputPath": self.output_uri,
            },
        }


@dataclass(slots=True, kw_only=True)
class ClusterRecord:
    """A HyperPod cluster. `status` is the API's; `eks_arn` is empty for a cluster that is orchestrated by Slurm."""

    name: str
    arn: str
    eks_arn: str
    created: datetime
    groups: list[RestrictedGroup]
    status: str = "InService"
    vpc: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Give the last part of the ARN, which log groups are named after."""
        return self.arn.rsplit("/", 1)[-1]

    def described(self) -> dict[str, Any]:
        """Return what DescribeCluster answers."""
        shown: dict[str, Any] = {
            "ClusterArn": self.arn,
            "ClusterName": self.name,
            "ClusterStatus": self.status,
            "CreationTime": self.created,
            "InstanceGroups": [],
            "RestrictedInstanceGroups": [group.described() for group in self.groups],
            "NodeRecovery": "Automatic",
        }
        shown |= {"Orchestrator": {"Eks": {"ClusterArn": self.eks_arn}}} if self.eks_arn else {}
        return shown | ({"VpcConfig": dict(self.vpc)} if self.vpc else {})


class Clusters:
    """The operations on clusters; those that were made through the API stay moto's."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, parameters: Parameters) -> Any:
        """Refuse what moto would ignore."""
        if "Orchestrator" in parameters or "RestrictedInstanceGroups" in parameters:
            raise NotImplementedError("make clusters on EKS with Emulator.hyperpod.create_cluster")
        return FALL_BACK

    def describe(self, parameters: Parameters) -> Any:
        """Answer DescribeCluster, by name or ARN."""
        found = self._store.cluster(parameters["ClusterName"])
        if found is not None:
            return found.described()
        if parameters["ClusterName"].startswith("arn:") or not self._store.clusters:
            return FALL_BACK
        raise aws_error("ResourceNotFound", f"Cluster with name {parameters['ClusterName']} not found.")


def install(state: SimulatorState) -> Undo:
    """Serve the operations."""
    clusters = Clusters(store_of(state))
    return serve(SageMakerResponse, {"CreateCluster": clusters.create, "DescribeCluster": clusters.describe})
