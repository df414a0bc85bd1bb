"""What the role of a training job has to be allowed, by method and platform.

Sources: SageMaker Developer Guide, "How to use SageMaker AI execution roles", CreateTrainingJob; Nova user guide for
the reward function, which the job calls under its own role.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lambda_handlers.catalog.mlflow import mlflow_resource

_IMAGE: Final = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<name>[^:@]+)")
_LOG_GROUP: Final = "/aws/sagemaker/TrainingJobs"


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """Actions that a role needs on one resource; `context` holds what the service puts into the call's condition keys.

    `purpose` finishes the sentence "it cannot ...".
    """

    purpose: str
    actions: tuple[str, ...]
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


def training_job_needs(
    *,
    role_arn: str,
    region: str,
    inputs: Iterable[str],
    output_uri: str,
    images: Iterable[str],
    key_arn: str,
    functions: Iterable[str] = (),
    vpcs: Iterable[Mapping[str, Any]] = (),
    volume_key_arns: Iterable[str] = (),
    mlflow_arns: Iterable[str] = (),
) -> list[Need]:
    """Return what training jobs need of their role.

    `inputs` are the s3:// addresses of the objects that the jobs read, `output_uri` the prefix they write to, `images`
    the containers, `key_arn` the key of both; `functions` are the ARNs of those that score, `vpcs` have the ids of
    `subnets` and `security_groups`, and `mlflow_arns` are tracking servers and apps.
    """
    partition, account = role_arn.split(":")[1], role_arn.split(":")[4]
    return [
        *_reads(partition, list(dict.fromkeys(inputs))),
        _writes(partition, output_uri),
        _uses_key(key_arn, "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"),
        *_pulls(partition, images),
        *_logs(partition, region, account),
        *_calls(functions),
        *(need for vpc in vpcs for need in _joins(f"arn:{partition}:ec2:{region}:{account}", vpc)),
        *(need for arn in dict.fromkeys(volume_key_arns) for need in _encrypts_volumes(arn)),
        *_tracks(mlflow_arns),
    ]


def instance_role_needs(
    *, role_arn: str, inputs: Iterable[str], output_uri: str, key_arn: str, functions: Iterable[str] = ()
) -> list[Need]:
    """Return what jobs on HyperPod need of the role of their instances beyond what the cluster itself needs.

    The addresses are those of `training_job_needs`; recipes come with the objects of a job, not from S3.
    """
    partition = role_arn.split(":")[1]
    return [
        *_reads(partition, list(dict.fromkeys(inputs))),
        _writes(partition, output_uri),
        # Through S3 alone: the container writes its output itself, no service encrypts it for the job.
        _uses_key(key_arn, "kms:Decrypt", "kms:GenerateDataKey"),
        *_calls(functions),
    ]


def _uses_key(key_arn: str, *actions: str) -> Need:
    return Need(purpose="use the KMS key of data and output", actions=actions, resource=key_arn)


def _reads(partition: str, uris: list[str]) -> Iterator[Need]:
    for uri in uris:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        yield Need(purpose=f"read {uri}", actions=("s3:GetObject",), resource=f"arn:{partition}:s3:::{bucket}/{key}")
    for bucket, prefix in dict.fromkeys(_folder(uri) for uri in uris):
        yield Need(
            purpose=f"list s3://{bucket}/{prefix}",
            actions=("s3:ListBucket",),
            resource=f"arn:{partition}:s3:::{bucket}",
            context={"s3:prefix": prefix},
        )


def _folder(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, f"{key.rpartition('/')[0]}/"


def _writes(partition: str, uri: str) -> Need:
    place = uri.removeprefix("s3://").rstrip("/")
    return Need(
        purpose=f"write below {uri}", actions=("s3:PutObject",), resource=f"arn:{partition}:s3:::{place}/output.tar.gz"
    )


def _pulls(partition: str, images: Iterable[str]) -> Iterator[Need]:
    for image in dict.fromkeys(images):
        found = _IMAGE.match(image)
        if found:
            yield Need(
                purpose=f"pull the container {image}",
                actions=("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
                resource=f"arn:{partition}:ecr:{found['region']}:{found['account']}:repository/{found['name']}",
            )
    yield Need(purpose="log in to the container registry", actions=("ecr:GetAuthorizationToken",), resource="*")


def _logs(partition: str, region: str, account: str) -> Iterator[Need]:
    group = f"arn:{partition}:logs:{region}:{account}:log-group:{_LOG_GROUP}"
    stream = ("logs:CreateLogStream", "logs:PutLogEvents")
    yield Need(purpose="write logs", actions=stream, resource=f"{group}:log-stream:algo-1")
    yield Need(
        purpose="publish metrics",
        actions=("cloudwatch:PutMetricData",),
        resource="*",
        context={"cloudwatch:namespace": "/aws/sagemaker/TrainingJobs"},
    )


def _calls(functions: Iterable[str]) -> Iterator[Need]:
    for arn in dict.fromkeys(functions):
        yield Need(purpose="call the function that scores", actions=("lambda:InvokeFunction",), resource=arn)


def _joins(ec2: str, vpc: Mapping[str, Any]) -> Iterator[Need]:
    subnets = [f"{ec2}:subnet/{each}" for each in vpc["subnets"]]
    groups = [f"{ec2}:security-group/{each}" for each in vpc["security_groups"]]
    interface = f"{ec2}:network-interface/eni-00000000000000000"
    for resource in (*subnets, *groups, interface):
        yield Need(purpose="join the VPC", actions=("ec2:CreateNetworkInterface",), resource=resource)
    for subnet in subnets:
        yield Need(
            purpose="join the VPC",
            actions=("ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface"),
            resource=interface,
            context={"ec2:Subnet": subnet},
        )
    look = ("NetworkInterfaces", "Vpcs", "DhcpOptions", "Subnets", "SecurityGroups")
    actions = ("ec2:DeleteNetworkInterfacePermission", *(f"ec2:Describe{what}" for what in look))
    yield Need(purpose="join the VPC", actions=actions, resource="*")


def _encrypts_volumes(key_arn: str) -> Iterator[Need]:
    yield Need(
        purpose="encrypt the volumes of its instances",
        actions=("kms:CreateGrant",),
        resource=key_arn,
        context={"kms:GrantIsForAWSResource": "true"},
    )


def _tracks(arns: Iterable[str]) -> Iterator[Need]:
    for arn in dict.fromkeys(arns):
        found = mlflow_resource(arn)
        if found:
            yield Need(purpose="track in MLflow", actions=found.kind.actions, resource=arn)
