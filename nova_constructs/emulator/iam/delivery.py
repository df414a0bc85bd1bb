"""Deliveries by services that assume no role: the target's own policy must let the service in."""

from __future__ import annotations

from typing import Final

from nova_constructs.emulator.iam.actions import Encryption, Need
from nova_constructs.emulator.iam.actions.call import ContextValues
from nova_constructs.emulator.iam.credentials import source_context
from nova_constructs.emulator.iam.engine import current
from nova_constructs.emulator.iam.errors import EvaluationError
from nova_constructs.emulator.iam.principals import service

_ACTIONS: Final = {
    "lambda": "lambda:InvokeFunction",
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "events": "events:PutEvents",
}


def check_resource_policy_delivery(service_principal: str, target_arn: str, source_arn: str | None = None) -> None:
    """Let a service such as events.amazonaws.com deliver to a function, queue, topic or bus.

    An encrypted queue or topic also needs the service in its key's policy. Raises AccessDeniedError when the policy of
    the target (or key) does not allow it, EvaluationError for a target of another kind.
    """
    kind = target_arn.split(":")[2] if target_arn.startswith("arn:") else ""
    action = _ACTIONS.get(kind)
    if action is None:
        raise EvaluationError(f"no resource policy lets {service_principal} deliver to {target_arn}")
    engine = current()
    context: ContextValues = source_context(source_arn)
    needs = [Need(action=action, resource=target_arn), *_key_needs(kind, target_arn)]
    caller = service(service_principal, engine.account)
    engine.authorizer.check(caller, needs, source=f"{service_principal}:delivery", common=context)


def _key_needs(kind: str, target_arn: str) -> list[Need]:
    facts = current().facts
    encryption: Encryption | None = None
    if kind == "sqs":
        encryption = facts.queue_encryption(target_arn)
    elif kind == "sns":
        encryption = facts.topic_encryption(target_arn)
    if encryption is None:
        return []
    return [Need(action=f"kms:{name}", resource=encryption.key_arn) for name in ("GenerateDataKey", "Decrypt")]
