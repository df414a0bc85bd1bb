"""Amazon SageMaker AI, with the permissions that tags at creation and roles imply."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from nova_constructs.emulator.iam.actions.call import (
    ApiCall,
    ContextValues,
    Need,
    Row,
    anywhere,
    as_mapping,
    on,
    pass_role,
    request_tags,
)
from nova_constructs.emulator.iam.actions.key_use import use_key

PUBLIC_HUB: Final = "SageMakerPublicHub"


def _training_job_arn(call: ApiCall) -> str:
    """Give the ARN of a training job; SageMaker writes names in lower case into ARNs."""
    return call.arn(f"training-job/{call.text('TrainingJobName').lower()}")


def _create_training_job(call: ApiCall) -> Iterator[Need]:
    arn = _training_job_arn(call)
    tags = request_tags(as_mapping(call.params.get("Tags")))
    yield Need(action="sagemaker:CreateTrainingJob", resource=arn, context={**tags, **_training_keys(call)})
    if tags:
        context = {**tags, "sagemaker:TaggingAction": "CreateTrainingJob"}
        yield Need(action="sagemaker:AddTags", resource=arn, context=context)
    yield from pass_role(call.params.get("RoleArn"), "sagemaker.amazonaws.com", associated=arn)
    for key in _training_kms_keys(call):
        yield from use_key(call, key, "sagemaker")


def _training_keys(call: ApiCall) -> ContextValues:
    resources: Mapping[str, Any] = call.params.get("ResourceConfig") or {}
    output: Mapping[str, Any] = call.params.get("OutputDataConfig") or {}
    vpc: Mapping[str, Any] = call.params.get("VpcConfig") or {}
    seconds = (call.params.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds")
    return {
        "sagemaker:InstanceTypes": _instance_types(resources) or None,
        "sagemaker:VolumeKmsKey": resources.get("VolumeKmsKeyId"),
        "sagemaker:OutputKmsKey": output.get("KmsKeyId"),
        "sagemaker:VpcSecurityGroupIds": tuple(vpc.get("SecurityGroupIds") or ()) or None,
        "sagemaker:VpcSubnets": tuple(vpc.get("Subnets") or ()) or None,
        "sagemaker:MaxRuntimeInSeconds": None if seconds is None else str(seconds),
        "sagemaker:NetworkIsolation": str(bool(call.params.get("EnableNetworkIsolation"))).lower(),
        "sagemaker:InterContainerTrafficEncryption": str(
            bool(call.params.get("EnableInterContainerTrafficEncryption"))
        ).lower(),
    }


def _instance_types(resources: Mapping[str, Any]) -> tuple[str, ...]:
    groups = [group.get("InstanceType") for group in resources.get("InstanceGroups") or ()]
    return tuple(name for name in (resources.get("InstanceType"), *groups) if name)


def _training_kms_keys(call: ApiCall) -> list[str]:
    volume = (call.params.get("ResourceConfig") or {}).get("VolumeKmsKeyId")
    return [volume] if volume else []


def _package_arn(call: ApiCall) -> str:
    """Give the ARN of a model package that a call names by name or ARN."""
    name = call.text("ModelPackageName")
    return name if name.startswith("arn:") else call.arn(f"model-package/{name.lower()}")


def _hub_account(call: ApiCall) -> tuple[str, str]:
    """Give owner and name of a hub, which a call names by name or ARN; the public hub belongs to `aws`."""
    hub = call.text("HubName")
    if hub.startswith("arn:"):
        return hub.split(":")[4], hub.rsplit("/", 1)[-1]
    return ("aws" if hub == PUBLIC_HUB else call.account), hub


def _hub(call: ApiCall) -> list[Need]:
    owner, hub = _hub_account(call)
    return [Need(action=f"sagemaker:{call.operation}", resource=call.arn(f"hub/{hub}", account=owner))]


def _hub_content(call: ApiCall) -> Iterator[Need]:
    """Give both required resources; the content's ARN for IAM carries no version (Service Authorization Reference)."""
    owner, hub = _hub_account(call)
    path = f"hub-content/{hub}/{call.text('HubContentType')}/{call.text('HubContentName')}"
    yield from _hub(call)
    yield Need(action=f"sagemaker:{call.operation}", resource=call.arn(path, account=owner))


def _add_tags(call: ApiCall) -> list[Need]:
    tags = request_tags(as_mapping(call.params.get("Tags")))
    return [Need(action="sagemaker:AddTags", resource=call.text("ResourceArn"), context=tags)]


def _cluster(call: ApiCall) -> list[Need]:
    """Give the need on a HyperPod cluster; of one that does not exist SageMaker would know no id either."""
    arn = call.facts.cluster_arn(call.text("ClusterName")) or call.arn("cluster/000000000000")
    return [Need(action=f"sagemaker:{call.operation}", resource=arn)]


_training_job, _by_resource_arn = on(_training_job_arn), on(lambda call: call.text("ResourceArn"))
SAGEMAKER: Final[Mapping[str, Row]] = {
    "CreateTrainingJob": _create_training_job,
    "DescribeTrainingJob": _training_job,
    "StopTrainingJob": _training_job,
    "ListTrainingJobs": anywhere,
    "AddTags": _add_tags,
    "ListTags": _by_resource_arn,
    "DescribeModelPackage": on(lambda call: _package_arn(call)),
    "DescribeCluster": _cluster,
    "DescribeHub": _hub,
    "ListHubContents": _hub,
    "DescribeHubContent": _hub_content,
    "DescribeMlflowApp": on(lambda call: call.text("Arn")),
    "DescribeMlflowTrackingServer": on(
        lambda call: call.arn(f"mlflow-tracking-server/{call.text('TrackingServerName')}")
    ),
    "ListMlflowApps": anywhere,
    "ListMlflowTrackingServers": anywhere,
}
