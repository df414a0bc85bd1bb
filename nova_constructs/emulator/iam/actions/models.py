"""Amazon SageMaker AI and Amazon Bedrock, with the permissions that tags at creation and roles imply."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lambda_handlers.catalog.model_packages import IMPORT_ACTIONS
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
from nova_constructs.emulator.iam.errors import EvaluationError

PUBLIC_HUB: Final = "SageMakerPublicHub"
# Bedrock makes up the last part of these ARNs, so a policy can only name them by wildcard when they are created.
_NEW_ID = "000000000000"


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
        yield from _use_key(call, key, "sagemaker")


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


def _use_key(call: ApiCall, key: str, service: str) -> Iterator[Need]:
    """Let a service use a customer-managed key for the caller: SageMaker and Bedrock do it by a grant."""
    arn = call.facts.key_arn(key)
    if arn is None:
        raise EvaluationError(f"{call.service}:{call.operation} names the unknown KMS key {key}")
    context = {
        "kms:ViaService": f"{service}.{call.region}.amazonaws.com",
        "kms:CallerAccount": call.account,
        "aws:ViaAWSService": "true",
    }
    yield Need(action="kms:CreateGrant", resource=arn, context={**context, "kms:GrantIsForAWSResource": "true"})
    yield Need(action="kms:DescribeKey", resource=arn, context=context)


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


_training_job, _by_resource_arn = on(_training_job_arn), on(lambda call: call.text("ResourceArn"))
SAGEMAKER: Final[Mapping[str, Row]] = {
    "CreateTrainingJob": _create_training_job,
    "DescribeTrainingJob": _training_job,
    "StopTrainingJob": _training_job,
    "ListTrainingJobs": anywhere,
    "AddTags": _add_tags,
    "ListTags": _by_resource_arn,
    "DescribeModelPackage": on(lambda call: _package_arn(call)),
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


def _bedrock_tags(call: ApiCall, name: str = "tags") -> ContextValues:
    return request_tags(as_mapping(call.params.get(name), key="key", value="value"))


def _tagged(call: ApiCall, tags: ContextValues, new: str) -> Iterator[Need]:
    if tags:
        yield Need(action="bedrock:TagResource", resource=call.arn(new), context=tags)


def _create_custom_model(call: ApiCall) -> Iterator[Need]:
    """Give the needs of an import.

    The action is checked on the new model, as AWS's own AmazonSageMakerModelCustomizationCoreAccess grants it; the
    Service Authorization Reference lists no resource for it.
    """
    tags = _bedrock_tags(call, "modelTags")
    new = f"custom-model/imported/{_NEW_ID}"
    yield Need(action="bedrock:CreateCustomModel", resource=call.arn(new), context=tags)
    yield from _tagged(call, tags, new)
    if role := call.params.get("roleArn"):
        yield from pass_role(role, "bedrock.amazonaws.com")
    package = (call.params.get("customModelDataSource") or {}).get("modelPackageArnDataSource") or {}
    if arn := package.get("modelPackageArn"):
        yield from (Need(action=action, resource=arn) for action in IMPORT_ACTIONS)
    if key := call.params.get("modelKmsKeyArn"):
        yield from _use_key(call, key, "bedrock")


def _create_deployment(call: ApiCall) -> Iterator[Need]:
    tags = _bedrock_tags(call)
    yield Need(action="bedrock:CreateCustomModelDeployment", resource=call.text("modelArn"), context=tags)
    yield from _tagged(call, tags, f"custom-model-deployment/{_NEW_ID}")


def _custom_model(call: ApiCall) -> list[Need]:
    """Give the need on a model; one that does not exist has no tags to judge by and is for the service to refuse."""
    return _existing(call, call.facts.custom_model_arn(call.text("modelIdentifier")))


def _deployment(call: ApiCall) -> list[Need]:
    """Give the need on a deployment; one that does not exist is for the service to refuse."""
    return _existing(call, call.facts.deployment_arn(call.text("customModelDeploymentIdentifier")))


def _existing(call: ApiCall, arn: str | None) -> list[Need]:
    return [Need(action=f"bedrock:{call.operation}", resource=arn)] if arn else []


def _update_deployment(call: ApiCall) -> Iterator[Need]:
    yield Need(action="bedrock:UpdateCustomModelDeployment", resource=call.text("modelArn"))
    yield from _deployment(call)


def _create_throughput(call: ApiCall) -> Iterator[Need]:
    """Give the needs of provisioned throughput, which the reference checks on the model and on what is made."""
    tags = _bedrock_tags(call)
    new = f"provisioned-model/{_NEW_ID}"
    yield Need(
        action="bedrock:CreateProvisionedModelThroughput", resource=_model_arn(call, call.text("modelId")), context=tags
    )
    yield from _tagged(call, tags, new)


def _throughput(call: ApiCall) -> list[Need]:
    """Give the need on provisioned throughput; one that does not exist is for the service to refuse."""
    return _existing(call, call.facts.throughput_arn(call.text("provisionedModelId")))


def _update_throughput(call: ApiCall) -> Iterator[Need]:
    yield from _throughput(call)
    if model := call.params.get("desiredModelId"):
        yield Need(action="bedrock:UpdateProvisionedModelThroughput", resource=_model_arn(call, model))


def _model_arn(call: ApiCall, identifier: str) -> str:
    return call.facts.custom_model_arn(identifier) or identifier


def _create_invocation_job(call: ApiCall) -> Iterator[Need]:
    """Give the needs of a batch inference job, on the model and on the job (Bedrock guide, required permissions)."""
    tags, model = _bedrock_tags(call), call.text("modelId")
    new = f"model-invocation-job/{_NEW_ID}"
    if not model.startswith("arn:"):
        # The id of an inference profile has the Regions before that of its model.
        profile = not model.startswith("amazon.")
        model = call.arn(f"inference-profile/{model}") if profile else call.arn(f"foundation-model/{model}", account="")
    for resource in (model, call.arn(new)):
        yield Need(action="bedrock:CreateModelInvocationJob", resource=resource, context=tags)
    yield from _tagged(call, tags, new)
    yield from pass_role(call.params.get("roleArn"), "bedrock.amazonaws.com")


def _invocation_job(call: ApiCall) -> list[Need]:
    """Give the need on a batch inference job; one that does not exist is for the service to refuse."""
    return _existing(call, call.facts.invocation_job_arn(call.text("jobIdentifier")))


def _invoked(action: str) -> Row:
    """Make the row of an operation that asks a model; one with a key of its own is decrypted for the caller.

    Source of the key's actions: Amazon Nova user guide, Permissions and key policies for custom Amazon Nova models.
    """

    def needs(call: ApiCall) -> Iterator[Need]:
        model = call.text("modelId")
        arn = model if model.startswith("arn:") else call.arn(f"foundation-model/{model}", account="")
        yield Need(action=f"bedrock:{action}", resource=arn)
        if key := call.facts.model_key_arn(model):
            via = {"kms:ViaService": f"bedrock.{call.region}.amazonaws.com", "kms:CallerAccount": call.account}
            for use in ("kms:Decrypt", "kms:GenerateDataKey"):
                yield Need(action=use, resource=key, context=via)

    return needs


def _tag(call: ApiCall) -> list[Need]:
    tags = _bedrock_tags(call)
    return [Need(action="bedrock:TagResource", resource=call.text("resourceARN"), context=tags)]


BEDROCK: Final[Mapping[str, Row]] = {
    "CreateCustomModel": _create_custom_model,
    "GetCustomModel": _custom_model,
    "DeleteCustomModel": _custom_model,
    "ListCustomModels": anywhere,
    "CreateCustomModelDeployment": _create_deployment,
    "GetCustomModelDeployment": _deployment,
    "DeleteCustomModelDeployment": _deployment,
    "UpdateCustomModelDeployment": _update_deployment,
    "ListCustomModelDeployments": anywhere,
    "CreateProvisionedModelThroughput": _create_throughput,
    "GetProvisionedModelThroughput": _throughput,
    "DeleteProvisionedModelThroughput": _throughput,
    "UpdateProvisionedModelThroughput": _update_throughput,
    "ListProvisionedModelThroughputs": anywhere,
    "CreateModelInvocationJob": _create_invocation_job,
    "GetModelInvocationJob": _invocation_job,
    "StopModelInvocationJob": _invocation_job,
    "ListModelInvocationJobs": anywhere,
    "InvokeModel": _invoked("InvokeModel"),
    "Converse": _invoked("InvokeModel"),
    "InvokeModelWithResponseStream": _invoked("InvokeModelWithResponseStream"),
    "ConverseStream": _invoked("InvokeModelWithResponseStream"),
    "ListTagsForResource": on(lambda call: call.text("resourceARN")),
    "TagResource": _tag,
}
