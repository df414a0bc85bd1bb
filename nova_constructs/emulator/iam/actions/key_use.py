"""The use of a KMS key by a service, in its caller's name."""

from __future__ import annotations

from collections.abc import Iterator

from nova_constructs.emulator.iam.actions.call import ApiCall, Need
from nova_constructs.emulator.iam.errors import EvaluationError


def use_key(call: ApiCall, key: str, service: str) -> Iterator[Need]:
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
