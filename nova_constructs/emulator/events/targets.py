"""Call the target of a rule or schedule with the rights that it was given."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nova_constructs.emulator.aws import client_as, operator_client
from nova_constructs.emulator.iam import credentials
from nova_constructs.emulator.iam.delivery import check_resource_policy_delivery
from nova_constructs.emulator.state import EmulatorState

SCHEDULER = "scheduler.amazonaws.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who delivers: EventBridge for a rule, or EventBridge Scheduler for a schedule.

    `source_arn` is what policies see as aws:SourceArn.
    """

    principal: str
    arn: str
    source_arn: str


class UnsupportedTargetError(Exception):
    """The emulator cannot deliver to this kind of target."""


def call_target(state: EmulatorState, sender: Sender, target: Mapping[str, Any], payload: str) -> str:
    """Deliver once and return the id of what was made.

    Raises botocore's ClientError as the target's API does, and AccessDeniedError if the sender may not deliver.
    """
    arn = target["Arn"]
    kind = arn.split(":")[2]
    if kind not in _SERVICES:
        raise UnsupportedTargetError(f"the emulator cannot deliver events to {arn}")
    service, deliver = _SERVICES[kind]
    client = _client(state, sender, service, target)
    return str(deliver(client, arn, target, payload, state))


def _client(state: EmulatorState, sender: Sender, service: str, target: Mapping[str, Any]) -> Any:
    role = target.get("RoleArn")
    if role:
        return state.boto_client_as(role, sender.principal, service, sender.source_arn)
    check_resource_policy_delivery(sender.principal, target["Arn"], sender.source_arn)
    return client_as(state, service, credentials.operator, retries=False)


def dead_letter_client(state: EmulatorState, sender: Sender, target: Mapping[str, Any], queue_arn: str) -> Any:
    """Return the client that fills a dead-letter queue: a schedule uses its role, a rule the queue's policy."""
    if sender.principal == SCHEDULER:
        return state.boto_client_as(target["RoleArn"], sender.principal, "sqs", sender.source_arn)
    check_resource_policy_delivery(sender.principal, queue_arn, sender.source_arn)
    return operator_client(state, "sqs")


def _start_execution(client: Any, arn: str, _target: Any, payload: str, _state: EmulatorState) -> str:
    name = str(uuid.uuid4())
    return str(client.start_execution(stateMachineArn=arn, name=name, input=payload)["executionArn"])


def _invoke(client: Any, arn: str, _target: Any, payload: str, _state: EmulatorState) -> str:
    answer = client.invoke(FunctionName=arn, InvocationType="Event", Payload=payload.encode())
    return str(answer["ResponseMetadata"]["RequestId"])


def _send_message(client: Any, arn: str, target: Any, payload: str, state: EmulatorState) -> str:
    group = target.get("SqsParameters", {}).get("MessageGroupId")
    grouped = {"MessageGroupId": group} if group else {}
    return str(client.send_message(QueueUrl=queue_url(state, arn), MessageBody=payload, **grouped)["MessageId"])


def _publish(client: Any, arn: str, _target: Any, payload: str, _state: EmulatorState) -> str:
    return str(client.publish(TopicArn=arn, Message=payload)["MessageId"])


def queue_url(state: EmulatorState, arn: str) -> str:
    """Return the URL of a queue of this account."""
    account, name = arn.split(":")[-2:]
    return f"{state.endpoint}/{account}/{name}"


_SERVICES: Mapping[str, tuple[str, Any]] = {
    "states": ("stepfunctions", _start_execution),
    "lambda": ("lambda", _invoke),
    "sqs": ("sqs", _send_message),
    "sns": ("sns", _publish),
}
