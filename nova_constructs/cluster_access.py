"""How functions reach HyperPod clusters: what AWS tells them of a cluster, and as whom Kubernetes takes them.

An access entry ties the role of a function to a group of the cluster. What the group may do, a Role and a RoleBinding
say, which CloudFormation cannot make: `nova hyperpod rbac` prints them for the cluster's admin.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Stack

from nova_constructs import function_vpc
from nova_constructs.handler_function import HandlerFunction
from nova_constructs.hyperpod import HyperPod


class ClusterAccess:
    """Access to the clusters of a customization, those of its `platforms`; without any, `allow` does nothing."""

    def __init__(self, platforms: Sequence[HyperPod] = ()) -> None:
        self.platforms = platforms
        self._allowed: set[str] = set()

    def allow(self, function: HandlerFunction) -> None:
        """Let a function speak with the clusters; again for the same function changes nothing."""
        if not self.platforms or function.node.path in self._allowed:
            return
        self._allowed.add(function.node.path)
        stack = Stack.of(function)
        # Amazon gives the id in the cluster's ARN at random, and the action knows no other form.
        clusters = stack.format_arn(service="sagemaker", resource="cluster", resource_name="*")
        function.allow("SeeHyperPodCluster", ["sagemaker:DescribeCluster"], [clusters])
        arns = [
            stack.format_arn(service="eks", resource="cluster", resource_name=name)
            for name in dict.fromkeys(each.eks_cluster for each in self.platforms)
        ]
        function.allow("FindKubernetesApi", ["eks:DescribeCluster"], arns)
        self._enter(function)
        if vpc := next((each.vpc for each in self.platforms if each.vpc), None):
            function_vpc.place(function, vpc.config())

    def _enter(self, function: HandlerFunction) -> None:
        # It takes half a second to import, which a customization without clusters need not pay.
        from aws_cdk import aws_eks as eks

        for number, (name, groups) in enumerate(self._groups().items(), start=1):
            eks.CfnAccessEntry(
                function,
                f"ClusterAccess{number}",
                cluster_name=name,
                principal_arn=function.role.role_arn,
                kubernetes_groups=groups,
                type="STANDARD",
            )

    def _groups(self) -> dict[str, list[str]]:
        """Return the Kubernetes groups by EKS cluster: a role has one access entry in each."""
        found: dict[str, list[str]] = {}
        for each in self.platforms:
            if each.access_entry and each.kubernetes_group not in found.setdefault(each.eks_cluster, []):
                found[each.eks_cluster].append(each.kubernetes_group)
        return found
