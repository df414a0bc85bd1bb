"""Amazon SNS and Amazon SQS; an encrypted topic or queue needs its key from whoever sends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from nova_constructs.emulator.iam.actions.call import ApiCall, Need, Row, anywhere, on
from nova_constructs.emulator.iam.actions.keys import key_needs
from nova_constructs.emulator.iam.errors import EvaluationError

_SEND: Final = ("GenerateDataKey", "Decrypt")


def _publish(call: ApiCall) -> Iterator[Need]:
    if "TopicArn" not in call.params:
        raise EvaluationError("sns:Publish to a phone number or endpoint has no row in the action table")
    topic = call.text("TopicArn")
    yield Need(action="sns:Publish", resource=topic)
    yield from key_needs(call, call.facts.topic_encryption(topic), _SEND, "sns", {"aws:sns:topicArn": topic})


def _subscribe(call: ApiCall) -> list[Need]:
    context = {"sns:Protocol": call.params.get("Protocol"), "sns:Endpoint": call.params.get("Endpoint")}
    return [Need(action="sns:Subscribe", resource=call.text("TopicArn"), context=context)]


_topic = on(lambda call: call.text("TopicArn"))
SNS: Final[Mapping[str, Row]] = {
    "Publish": _publish,
    "PublishBatch": _publish,
    "Subscribe": _subscribe,
    "GetTopicAttributes": _topic,
    "SetTopicAttributes": _topic,
    "ListSubscriptionsByTopic": _topic,
    "ListTopics": anywhere,
}


def _queue_arn(call: ApiCall) -> str:
    account, name = call.text("QueueUrl").rstrip("/").split("/")[-2:]
    return call.arn(name, account=account)


def _send(call: ApiCall) -> Iterator[Need]:
    queue = _queue_arn(call)
    yield Need(action="sqs:SendMessage", resource=queue)
    yield from key_needs(call, call.facts.queue_encryption(queue), _SEND, "sqs", {"aws:sqs:arn": queue})


def _receive(call: ApiCall) -> Iterator[Need]:
    queue = _queue_arn(call)
    yield Need(action="sqs:ReceiveMessage", resource=queue)
    yield from key_needs(call, call.facts.queue_encryption(queue), ["Decrypt"], "sqs", {"aws:sqs:arn": queue})


_queue = on(_queue_arn)
SQS: Final[Mapping[str, Row]] = {
    "SendMessage": _send,
    "SendMessageBatch": _send,
    "ReceiveMessage": _receive,
    "DeleteMessage": _queue,
    "DeleteMessageBatch": on(_queue_arn, action="DeleteMessage"),
    "ChangeMessageVisibility": _queue,
    "GetQueueAttributes": _queue,
    "SetQueueAttributes": _queue,
    "PurgeQueue": _queue,
    "GetQueueUrl": on(lambda call: call.arn(call.text("QueueName"))),
    "ListQueues": anywhere,
}
