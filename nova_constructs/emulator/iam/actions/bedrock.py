"""Amazon Bedrock, with the permissions that tags at creation, roles, keys and model packages imply."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

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
from nova_constructs.emulator.iam.actions.key_use import use_key

# Bedrock makes up the last part of these ARNs, so a policy can only name them by wildcard when they are created.
_NEW_ID: Final = "000000000000"


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
        yield from use_key(call, key, "bedrock")


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
