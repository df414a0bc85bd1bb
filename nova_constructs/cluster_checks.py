"""What can be known at synth to be wrong with the platforms of a customization taken together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aws_cdk import aws_iam as iam
from constructs import Construct

from lambda_handlers import catalog
from lambda_handlers.catalog import data_mixing
from lambda_handlers.catalog.lookup import UnknownNameError
from nova_constructs.execution_role import role_problems
from nova_constructs.hyperpod import HyperPod, Runtime, on_clusters, on_training_jobs


def cluster_problems(
    scope: Construct,
    training: Mapping[str, tuple[Runtime, str]],
    asking: Mapping[str, Runtime],
    *,
    execution_role: iam.IRole | str | None,
) -> Iterable[str]:
    """Yield what cannot work with HyperPod.

    `training` has platform and method of each training stage, the first one first; `asking` the platforms of what
    evaluates it or answers by it.
    """
    for stage, (platform, method) in training.items():
        if isinstance(platform, HyperPod) and platform.data_mixing and (why := _unmixable(method)):
            yield f"{stage}: {why}"
    (first, _), *_ = training.values()
    for stage, platform in asking.items():
        if platform.kind != first.kind:
            yield (
                f"{stage}: platform is {platform.kind}, and training runs on {first.kind}: a checkpoint can be used on "
                "its own platform only; give it the same, or leave it out"
            )
        if isinstance(platform, HyperPod) and platform.data_mixing:
            yield f"{stage}: its platform has data_mixing, which is for training alone: leave it out"
    everything = [*(platform for platform, _ in training.values()), *asking.values()]
    if execution_role is not None and not on_training_jobs(everything):
        yield (
            "execution_role is given, but every job runs on HyperPod, under the role of its instances: leave it out, "
            "or give that role as instance_role of HyperPod"
        )
    for given in dict.fromkeys(platform.instance_role for platform in on_clusters(everything)):
        yield from role_problems(scope, given, "instance_role", "HyperPod")
    vpcs = [platform.vpc for platform in on_clusters(everything)]
    if any(vpc != vpcs[0] for vpc in vpcs):
        yield (
            "the HyperPod platforms have different vpc: give all of them the same, since one function plans, stops and "
            "reconciles the jobs of all"
        )


def _unmixable(method: str) -> str | None:
    try:
        return data_mixing.refusal(catalog.method(method), catalog.Platform.SMHP)
    except UnknownNameError:
        return None  # told by the combination check, with the nearest name
