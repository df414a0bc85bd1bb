"""Where training and evaluation run, as a value object: a SageMaker HyperPod cluster orchestrated by Amazon EKS."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aws_cdk import Duration, Token
from aws_cdk import aws_iam as iam

from lambda_handlers.catalog import clusters, data_mixing
from nova_constructs.instance_choice import InstanceChoice
from nova_constructs.platforms import JobVpc, TrainingJobs, limit_problems, one_p5


@dataclass(frozen=True, kw_only=True, slots=True)
class DataMixing:
    """Train on rows of yours and on data of Nova's own together; needs a Nova Forge subscription.

    `customer_percent` (0 to 100) is the share of your rows; `nova` divides the rest among categories of the hub's
    recipe, such as {"code": 30, "general": 70}, which add up to 100 percent; a category that is not named gets nothing.
    With 100 percent of your own, `nova` is left out. Source: Amazon Nova user guide, data mixing.
    """

    customer_percent: float
    nova: Mapping[str, float] = field(default_factory=dict)

    def problems(self) -> Iterable[str]:
        """Yield what cannot work, with the value received and what is allowed; the hub's recipe has the categories."""
        return data_mixing.problems(self.customer_percent, self.nova)

    def config(self) -> dict[str, Any]:
        """Return it as the functions read it, percentages as floats."""
        shares = {name: float(share) for name, share in self.nova.items()}
        return {data_mixing.CUSTOMER: float(self.customer_percent), "nova": shares}


@dataclass(frozen=True, kw_only=True, slots=True)
class HyperPod:
    """SageMaker HyperPod (SMHP): jobs in a namespace of a cluster that is there already, in its restricted instance
    groups. Who may do what there is told in docs/hyperpod.md.

    `max_runtime` (default 1 day, at most 28) and `max_pending` (default 1 day, 30 minutes to 28 days) together are the
    deadline of a job; Kubernetes does not tell waiting from running, so that the sum bounds what a job may cost.

    `eks_cluster_name` is the EKS cluster beneath, by default of the same name. `kubernetes_group` is the group of the
    functions in it; `access_entry=False` leaves their access entries to the cluster's admin. `vpc` is where the
    functions stand that speak with the cluster: needed where its endpoint is private. `instance_role`, the role of the
    restricted instance group or its ARN, may then read and write the store's objects of runs; without it, its
    owner has to allow that, and every run checks it. `data_mixing` goes with CPT and SFT.
    """

    cluster_name: str
    namespace: str
    instance_type: str
    instance_count: int
    max_runtime: Duration = field(default_factory=lambda: Duration.days(1))
    max_pending: Duration = field(default_factory=lambda: Duration.days(1))
    eks_cluster_name: str | None = None
    kubernetes_group: str = clusters.ACCESS_GROUP
    access_entry: bool = True
    vpc: JobVpc | None = None
    instance_role: iam.IRole | str | None = None
    data_mixing: DataMixing | None = None

    kind = "SMHP"

    @property
    def eks_cluster(self) -> str:
        """The name of the EKS cluster."""
        return self.eks_cluster_name or self.cluster_name

    @property
    def instance_role_arn(self) -> str | None:
        """The ARN of the role of the restricted instance group, where it is given."""
        given = self.instance_role
        return given if given is None or isinstance(given, str) else given.role_arn

    @property
    def choices(self) -> Sequence[InstanceChoice]:
        """The instances of a job: there are no alternatives, since a cluster has what it has."""
        return [InstanceChoice(instance_type=self.instance_type, instance_count=self.instance_count)]

    @property
    def deadline(self) -> Duration:
        """How long a job may take from submission to its end."""
        return self.max_runtime.plus(self.max_pending)

    def evaluator(self) -> HyperPod:
        """Return what evaluates and infers beside training unless another platform is given: one instance of p5."""
        first = one_p5().choices[0]
        return replace(
            self, instance_type=first.instance_type, instance_count=first.instance_count, data_mixing=None,
            max_runtime=Duration.days(1), max_pending=Duration.days(1),
        )  # fmt: skip

    def problems(self) -> list[str]:
        """Return what cannot work, each with the value received and what is allowed."""
        names = (
            ("cluster_name", self.cluster_name, clusters.CLUSTER_NAME, "2 to 101 letters, digits, - and _"),
            ("eks_cluster_name", self.eks_cluster_name, clusters.EKS_CLUSTER_NAME, "1 to 100 letters, digits, - and _"),
            ("namespace", self.namespace, clusters.NAMESPACE, "1 to 63 of a-z, 0-9 and -, none of them - at an end"),
            (
                *("kubernetes_group", self.kubernetes_group, clusters.GROUP_NAME),
                "1 to 63 letters, digits and .:_@/-, not beginning with system:",
            ),
        )
        found = [problem for each in names if (problem := _name_problem(*each))]
        if self.instance_count < 1:
            found.append(f"instance_count is {self.instance_count}: use 1 or more")
        mixing = self.data_mixing.problems() if self.data_mixing else ()
        return [*found, *limit_problems(self), *(self.vpc.problems() if self.vpc else ()), *mixing]

    def config(self) -> dict[str, Any]:
        """Return the platform as the functions read it, times in seconds; what is off is left out."""
        mixing = {"data_mixing": self.data_mixing.config()} if self.data_mixing else {}
        return {
            "platform": self.kind,
            "cluster_name": self.cluster_name,
            "eks_cluster_name": self.eks_cluster,
            "namespace": self.namespace,
            "instance_type": self.instance_type,
            "instance_count": self.instance_count,
            "max_runtime_seconds": self.max_runtime.to_seconds(),
            "max_pending_seconds": self.max_pending.to_seconds(),
            **mixing,
        }


Runtime = TrainingJobs | HyperPod
"""Where jobs run."""


def evaluator_beside(training: Runtime) -> Runtime:
    """Return the platform of evaluation and batch inference unless another is given: that of training, since a
    checkpoint can be used on its own platform only, with one instance."""
    if isinstance(training, HyperPod):
        return training.evaluator()
    return one_p5().protected_as(training)


def on_training_jobs(platforms: Iterable[Runtime]) -> list[TrainingJobs]:
    """Return those of the platforms that are SageMaker training jobs."""
    return [platform for platform in platforms if isinstance(platform, TrainingJobs)]


def on_clusters(platforms: Iterable[Runtime]) -> list[HyperPod]:
    """Return those of the platforms that are HyperPod clusters."""
    return [platform for platform in platforms if isinstance(platform, HyperPod)]


def _name_problem(what: str, given: str | None, pattern: re.Pattern[str], allowed: str) -> str | None:
    if given is None or Token.is_unresolved(given) or pattern.fullmatch(given):
        return None
    return f"{what} is {given!r}: use {allowed}"
