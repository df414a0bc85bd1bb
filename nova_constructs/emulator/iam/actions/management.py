"""IAM, STS, CloudFormation, KMS, Systems Manager parameters, CloudWatch, CloudWatch Logs, ECR and Service Quotas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from nova_constructs.emulator.iam.actions.call import (
    ApiCall,
    Need,
    Row,
    anywhere,
    as_mapping,
    on,
    request_tags,
)
from nova_constructs.emulator.iam.errors import EvaluationError


def _role_arn(call: ApiCall) -> str:
    return f"arn:{call.partition}:iam::{call.account}:role/{call.text('RoleName')}"


_role = on(_role_arn)
IAM: Final[Mapping[str, Row]] = {
    "GetRole": _role,
    "GetRolePolicy": _role,
    "ListRolePolicies": _role,
    "ListAttachedRolePolicies": _role,
    "SimulatePrincipalPolicy": on(lambda call: call.text("PolicySourceArn")),
    "ListRoles": anywhere,
}


def _assume_role(call: ApiCall) -> list[Need]:
    context = {f"sts:{name}": call.params.get(name) for name in ("ExternalId", "RoleSessionName")}
    if call.params.get("Tags"):
        raise EvaluationError("sts:AssumeRole with session tags is not evaluated")
    return [Need(action="sts:AssumeRole", resource=call.text("RoleArn"), context=context)]


def _stack(call: ApiCall) -> list[Need]:
    name = str(call.params.get("StackName") or "")
    arn = name if name.startswith("arn:") else call.arn(f"stack/{name}/*")
    return [Need(action="cloudformation:DescribeStacks", resource=arn if name else "*")]


CLOUDFORMATION: Final[Mapping[str, Row]] = {"DescribeStacks": _stack}
STS: Final[Mapping[str, Row]] = {
    "GetCallerIdentity": lambda _call: [],  # allowed whatever the policies say, even against an explicit deny
    "AssumeRole": _assume_role,
}


def _key(call: ApiCall) -> list[Need]:
    arn = call.facts.key_arn(call.text("KeyId"))
    if arn is None:
        raise EvaluationError(f"kms:{call.operation} on the unknown key {call.text('KeyId')}")
    pairs: Mapping[str, str] = call.params.get("EncryptionContext") or {}
    keys = {f"kms:EncryptionContext:{name}": value for name, value in pairs.items()}
    context = {**keys, "kms:EncryptionContextKeys": tuple(pairs) or None, "kms:CallerAccount": call.account}
    return [Need(action=f"kms:{call.operation}", resource=arn, context=context)]


KMS: Final[Mapping[str, Row]] = dict.fromkeys(
    (
        "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateMac",
        "GetKeyPolicy", "GetPublicKey", "Sign", "Verify", "VerifyMac",
    ),
    _key,
)  # fmt: skip


def parameter_arn(call: ApiCall, name: str) -> str:
    """Give the ARN of a parameter, whose leading slash is not doubled and whose selector is left out."""
    if name.startswith("arn:"):
        return name
    return call.arn(f"parameter/{name.split(':', 1)[0].removeprefix('/')}")


def _put_parameter(call: ApiCall) -> Iterator[Need]:
    if call.params.get("Type") == "SecureString":
        raise EvaluationError("ssm:PutParameter of a SecureString needs KMS checks that the evaluator does not have")
    tags = request_tags(as_mapping(call.params.get("Tags")))
    arn = parameter_arn(call, call.text("Name"))
    overwrite = str(bool(call.params.get("Overwrite"))).lower()
    yield Need(action="ssm:PutParameter", resource=arn, context={**tags, "ssm:Overwrite": overwrite})
    if tags:
        yield Need(action="ssm:AddTagsToResource", resource=arn, context=tags)


def _get_parameters(call: ApiCall) -> Iterator[Need]:
    for name in call.params.get("Names") or ():
        yield Need(action=f"ssm:{call.operation}", resource=parameter_arn(call, name))


def _by_path(call: ApiCall) -> list[Need]:
    recursive = str(bool(call.params.get("Recursive"))).lower()
    arn = parameter_arn(call, call.text("Path"))
    return [Need(action="ssm:GetParametersByPath", resource=arn, context={"ssm:Recursive": recursive})]


_parameter = on(lambda call: parameter_arn(call, call.text("Name")))
SSM: Final[Mapping[str, Row]] = {
    "PutParameter": _put_parameter,
    "GetParameter": _parameter,
    "GetParameterHistory": _parameter,
    "DeleteParameter": _parameter,
    "GetParameters": _get_parameters,
    "DeleteParameters": _get_parameters,
    "GetParametersByPath": _by_path,
    "DescribeParameters": anywhere,
}


def _group_arn(call: ApiCall) -> str:
    arn: str = call.params.get("logGroupIdentifier") or ""
    return arn if arn.startswith("arn:") else call.arn(f"log-group:{arn or call.text('logGroupName')}")


def _whole_group_arn(call: ApiCall) -> str:
    """Give the ARN that group actions are checked on, which only `…:NAME:*` covers ("CloudWatch Logs resources")."""
    return f"{_group_arn(call)}:log-stream:"


def _stream_arn(call: ApiCall) -> str:
    return f"{_group_arn(call)}:log-stream:{call.text('logStreamName')}"


def _create_log_group(call: ApiCall) -> Iterator[Need]:
    tags = request_tags(as_mapping(call.params.get("tags")))
    yield Need(action="logs:CreateLogGroup", resource=_whole_group_arn(call), context=tags)
    if tags:
        yield Need(action="logs:TagResource", resource=_group_arn(call), context=tags)


_group, _stream = on(_whole_group_arn), on(_stream_arn)
LOGS: Final[Mapping[str, Row]] = {
    "CreateLogGroup": _create_log_group,
    "CreateLogStream": _stream,
    "PutLogEvents": _stream,
    "GetLogEvents": _stream,
    "DescribeLogStreams": _group,
    "FilterLogEvents": _group,
    "PutRetentionPolicy": _group,
    "DescribeLogGroups": anywhere,
}


def _put_metric_data(call: ApiCall) -> list[Need]:
    context = {"cloudwatch:namespace": call.text("Namespace")}
    return [Need(action="cloudwatch:PutMetricData", resource="*", context=context)]


CLOUDWATCH: Final[Mapping[str, Row]] = {
    "PutMetricData": _put_metric_data,
    "GetMetricData": anywhere,
    "GetMetricStatistics": anywhere,
    "ListMetrics": anywhere,
}


def _repository_arn(call: ApiCall) -> str:
    owner = call.params.get("registryId") or call.account
    return call.arn(f"repository/{call.text('repositoryName')}", account=owner)


_repository = on(_repository_arn)
ECR: Final[Mapping[str, Row]] = {
    "GetAuthorizationToken": anywhere,
    "BatchCheckLayerAvailability": _repository,
    "BatchGetImage": _repository,
    "GetDownloadUrlForLayer": _repository,
    "DescribeImages": _repository,
}
SERVICE_QUOTAS: Final[Mapping[str, Row]] = {"ListServiceQuotas": anywhere}
