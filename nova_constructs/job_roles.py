"""The roles that jobs run under: the execution role of training jobs, and those of restricted instance groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import aws_iam as iam
from constructs import Construct

from nova_constructs.artifact_store import ArtifactStore
from nova_constructs.handler_function import statement
from nova_constructs.hyperpod import HyperPod, Runtime, on_clusters


@dataclass(frozen=True, kw_only=True, slots=True)
class StageJob:
    """One job that runs of a customization may have: where it runs, and the ARNs of the functions that it calls."""

    runs_on: Runtime
    functions: Sequence[str] = ()


def allow_instance_roles(scope: Construct, store: ArtifactStore, jobs: Sequence[StageJob]) -> None:
    """Let the roles of restricted instance groups that are given read and write what the jobs there do."""
    for number, (given, platforms) in enumerate(_by_role(job.runs_on for job in jobs).items(), start=1):
        functions = [arn for job in jobs if job.runs_on in platforms for arn in job.functions]
        role = iam.Role.from_role_arn(scope, f"InstanceRole{number}", given) if isinstance(given, str) else given
        iam.Policy(
            scope,
            f"InstanceRolePolicy{number}",
            roles=[role],
            statements=list(instance_role_statements(store, functions)),
        )


def instance_role_statements(store: ArtifactStore, functions: Iterable[str]) -> Iterable[iam.PolicyStatement]:
    """Yield what the role of a restricted instance group has to be allowed; recipes come with the job's own objects."""
    yield statement("ReadInputs", ["s3:GetObject"], [store.prepared.arn_for_objects("runs/*")])
    only: Mapping[str, object] = {"StringLike": {"s3:prefix": ["runs/*"]}}
    yield statement("ListInputs", ["s3:ListBucket"], [store.prepared.bucket_arn], only)
    yield statement("WriteOutput", ["s3:PutObject"], [store.artifacts.arn_for_objects("runs/*/jobs/*")])
    yield statement("UseKey", ["kms:Decrypt", "kms:GenerateDataKey"], [store.key.key_arn])
    if called := list(dict.fromkeys(functions)):
        yield statement("CallRewardFunction", ["lambda:InvokeFunction"], called)


def _by_role(platforms: Iterable[Runtime]) -> dict[iam.IRole | str, list[HyperPod]]:
    found: dict[iam.IRole | str, list[HyperPod]] = {}
    for each in on_clusters(platforms):
        if each.instance_role is not None:
            found.setdefault(each.instance_role, []).append(each)
    return found
