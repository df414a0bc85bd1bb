"""The KMS permissions that calls on encrypted resources need: the service calls KMS in the caller's name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nova_constructs.emulator.iam.actions.call import ApiCall, ContextValues, Encryption, Need


def via_service(call: ApiCall, service: str, encryption_context: Mapping[str, str]) -> ContextValues:
    """Give the condition keys of a KMS call that a service makes in the name of its caller."""
    keys = {f"kms:EncryptionContext:{key}": value for key, value in encryption_context.items()}
    return {
        **keys,
        "kms:ViaService": f"{service}.{call.region}.amazonaws.com",
        "kms:CallerAccount": call.account,
        "kms:EncryptionContextKeys": tuple(encryption_context) or None,
        "aws:ViaAWSService": "true",
    }


def key_needs(
    call: ApiCall,
    encryption: Encryption | None,
    actions: Iterable[str],
    service: str,
    encryption_context: Mapping[str, str],
) -> list[Need]:
    """Give one need per KMS action; nothing for a resource without a customer-managed key."""
    if encryption is None:
        return []
    context = via_service(call, service, encryption_context)
    return [Need(action=f"kms:{action}", resource=encryption.key_arn, context=context) for action in actions]


def object_key_needs(
    call: ApiCall, encryption: Encryption | None, actions: Iterable[str], bucket: str, key: str
) -> list[Need]:
    """Give the needs for an S3 object: its ARN is the encryption context, the bucket's with a bucket key."""
    if encryption is None:
        return []
    path = bucket if encryption.bucket_key else f"{bucket}/{key}"
    return key_needs(call, encryption, actions, "s3", {"aws:s3:arn": f"arn:{call.partition}:s3:::{path}"})
