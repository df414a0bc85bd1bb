"""Which permissions an API call needs: the action table.

The rows follow AWS's Service Authorization Reference. A call without a row is refused, never allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nova_constructs.emulator.iam.actions import (
    bedrock,
    clusters,
    dynamodb,
    management,
    messaging,
    models,
    network,
    workflow,
)
from nova_constructs.emulator.iam.actions.call import ApiCall, Encryption, Facts, Need, Row
from nova_constructs.emulator.iam.actions.s3 import s3_needs
from nova_constructs.emulator.iam.actions.s3_request import S3Request
from nova_constructs.emulator.iam.errors import UnknownOperationError

__all__ = ["TABLE", "ApiCall", "Encryption", "Facts", "Need", "S3Request", "needs", "s3_needs"]

TABLE: Final[Mapping[str, Mapping[str, Row]]] = {
    "bedrock": bedrock.BEDROCK,
    "cloudformation": management.CLOUDFORMATION,
    "cloudwatch": management.CLOUDWATCH,
    "dynamodb": dynamodb.ROWS,
    "ec2": network.EC2,
    "ecr": management.ECR,
    "eks": clusters.EKS,
    "events": workflow.EVENTS,
    "iam": management.IAM,
    "kms": management.KMS,
    "lambda": workflow.LAMBDA,
    "logs": management.LOGS,
    "sagemaker": models.SAGEMAKER,
    "scheduler": workflow.SCHEDULER,
    "servicequotas": management.SERVICE_QUOTAS,
    "sns": messaging.SNS,
    "sqs": messaging.SQS,
    "ssm": management.SSM,
    "states": workflow.STATES,
    "sts": management.STS,
}


def needs(call: ApiCall) -> list[Need]:
    """Give the permissions that a call needs; raises UnknownOperationError for a call without a row."""
    row = TABLE.get(call.service, {}).get(call.operation)
    if row is None:
        raise UnknownOperationError(call.service, call.operation)
    return list(row(call))
