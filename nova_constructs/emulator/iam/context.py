"""The request context: the condition keys that a call carries, and the keys that the emulator can fill at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from nova_constructs.emulator.iam.errors import EvaluationError

Value = str | tuple[str, ...]
Lazy = Callable[[], Value | None]

# A condition on any other key is refused: taken as absent it would satisfy StringNotEquals, IfExists and ForAllValues.
KNOWN_KEYS: Final = frozenset(
    key.lower()
    for key in (
        "aws:CurrentTime", "aws:EpochTime", "aws:PrincipalAccount", "aws:PrincipalArn", "aws:PrincipalIsAWSService",
        "aws:PrincipalServiceName", "aws:PrincipalType", "aws:RequestedRegion", "aws:ResourceAccount",
        "aws:SecureTransport", "aws:SourceAccount", "aws:SourceOwner", "aws:SourceArn", "aws:SourceIp",
        "aws:TagKeys", "aws:UserAgent", "sagemaker:TaggingAction",
        "aws:userid", "aws:username", "aws:ViaAWSService", "dynamodb:LeadingKeys", "dynamodb:ReturnValues",
        "dynamodb:Select", "events:creatorAccount", "events:source", "events:detail-type", "iam:AssociatedResourceArn",
        "iam:PassedToService", "kms:CallerAccount", "kms:EncryptionContextKeys", "kms:GrantIsForAWSResource",
        "kms:ViaService", "lambda:FunctionArn", "s3:delimiter", "s3:max-keys", "s3:prefix", "s3:TlsVersion",
        "s3:VersionId", "s3:authType", "s3:ResourceAccount", "s3:signatureversion", "s3:if-match", "s3:if-none-match",
        "s3:x-amz-acl", "s3:x-amz-content-sha256", "s3:x-amz-copy-source", "s3:x-amz-metadata-directive",
        "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id", "s3:x-amz-storage-class",
        "sagemaker:InstanceTypes", "sagemaker:MaxRuntimeInSeconds", "sagemaker:NetworkIsolation",
        "sagemaker:InterContainerTrafficEncryption", "sagemaker:OutputKmsKey", "sagemaker:VolumeKmsKey",
        "sagemaker:VpcSecurityGroupIds", "sagemaker:VpcSubnets", "cloudwatch:namespace", "sns:Endpoint", "sns:Protocol",
        "sts:ExternalId", "sts:RoleSessionName", "ssm:Overwrite", "ssm:Recursive", "logs:LogGeneratingResourceArns",
    )
)  # fmt: skip
KNOWN_PREFIXES: Final = ("aws:requesttag/", "aws:resourcetag/", "aws:principaltag/", "kms:encryptioncontext:")


Family = Callable[[], Mapping[str, str]]


class Context:
    """Condition keys of one call, looked up without regard to case; costly ones are given as a function.

    `families` are keys that end in a name, such as `aws:ResourceTag/`, each with a function that gives name and value.
    """

    def __init__(self, values: Mapping[str, Value | Lazy | None], families: Mapping[str, Family] | None = None) -> None:
        self._values: dict[str, Value | Lazy | None] = {key.lower(): value for key, value in values.items()}
        self._families = {prefix.lower(): family for prefix, family in (families or {}).items()}

    def get(self, key: str) -> Value | None:
        """Give the value of a key, None when the call does not carry it.

        Raises EvaluationError for a key that the emulator never fills.
        """
        lowered = key.lower()
        value = self._values.get(lowered)
        if callable(value):
            value = self._values[lowered] = value()
        if value is not None or lowered in KNOWN_KEYS:
            return value
        return self._from_family(key, lowered)

    def text(self, key: str) -> str | None:
        """Give the value of a single-valued key, for policy variables."""
        value = self.get(key)
        return value if isinstance(value, str) else None

    def _from_family(self, key: str, lowered: str) -> Value | None:
        prefix = next((prefix for prefix in KNOWN_PREFIXES if lowered.startswith(prefix)), None)
        if prefix is None:
            raise EvaluationError(f"the emulator does not fill the condition key {key}")
        family = self._families.get(prefix)
        members = family() if family else {}
        return next((value for name, value in members.items() if name.lower() == lowered.removeprefix(prefix)), None)
