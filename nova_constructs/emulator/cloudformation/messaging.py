"""Topics, subscriptions, queues and their policies."""

from __future__ import annotations

import json
from typing import Any

from typing_extensions import override

from nova_constructs.emulator.cloudformation.kind import Aws, Kind, Made, Properties, only, tag_map, words


class Topic(Kind):
    type = "AWS::SNS::Topic"
    applied = words("TopicName DisplayName KmsMasterKeyId FifoTopic ContentBasedDeduplication Subscription Tags")
    recorded = words("TracingConfig DeliveryStatusLogging ArchivePolicy SignatureVersion")
    replaced_by = words("TopicName FifoTopic")
    name_property = "TopicName"
    name_limit = 256

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        attributes = _texts(only(properties, "DisplayName KmsMasterKeyId FifoTopic ContentBasedDeduplication"))
        tags = list(properties.get("Tags", []))
        arn = aws.sns.create_topic(Name=name, Attributes=attributes, Tags=tags)["TopicArn"]
        for subscription in properties.get("Subscription", []):
            aws.sns.subscribe(TopicArn=arn, **only(subscription, "Protocol Endpoint"))
        return Made(physical_id=arn, attributes={"TopicArn": arn, "TopicName": name})

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        for name, value in _texts(only(properties, "DisplayName KmsMasterKeyId")).items():
            aws.sns.set_topic_attributes(TopicArn=made.physical_id, AttributeName=name, AttributeValue=value)
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.sns.delete_topic(TopicArn=made.physical_id)


class TopicPolicy(Kind):
    type = "AWS::SNS::TopicPolicy"
    applied = words("Topics PolicyDocument")

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        document = json.dumps(properties["PolicyDocument"])
        for topic in properties["Topics"]:
            aws.sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=document)
        return Made(physical_id=name)

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        return self.create(aws, made.physical_id, properties)

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        empty = json.dumps({"Version": "2012-10-17", "Statement": []})
        for topic in properties["Topics"]:
            aws.sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=empty)


class Subscription(Kind):
    type = "AWS::SNS::Subscription"
    applied = words(
        "TopicArn Protocol Endpoint RawMessageDelivery FilterPolicy FilterPolicyScope RedrivePolicy SubscriptionRoleArn"
    )
    recorded = words("Region")
    replaced_by = words("TopicArn Protocol Endpoint")

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        arn = aws.sns.subscribe(
            **only(properties, "TopicArn Protocol Endpoint"),
            Attributes=self._settings(properties),
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        return Made(physical_id=arn, attributes={"Arn": arn})

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        for name, value in self._settings(properties).items():
            aws.sns.set_subscription_attributes(
                SubscriptionArn=made.physical_id, AttributeName=name, AttributeValue=value
            )
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.sns.unsubscribe(SubscriptionArn=made.physical_id)

    def _settings(self, properties: Properties) -> dict[str, str]:
        return _texts(
            only(properties, "RawMessageDelivery FilterPolicy FilterPolicyScope RedrivePolicy SubscriptionRoleArn")
        )


_QUEUE_SETTINGS = (
    "DelaySeconds MaximumMessageSize MessageRetentionPeriod ReceiveMessageWaitTimeSeconds VisibilityTimeout"
    " RedrivePolicy RedriveAllowPolicy KmsMasterKeyId KmsDataKeyReusePeriodSeconds SqsManagedSseEnabled"
)


class Queue(Kind):
    type = "AWS::SQS::Queue"
    applied = words(f"QueueName FifoQueue ContentBasedDeduplication Tags {_QUEUE_SETTINGS}")
    replaced_by = words("QueueName FifoQueue")
    name_property = "QueueName"
    name_limit = 80

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        settings = _texts(only(properties, f"FifoQueue ContentBasedDeduplication {_QUEUE_SETTINGS}"))
        url = aws.sqs.create_queue(QueueName=name, Attributes=settings, tags=tag_map(properties))["QueueUrl"]
        return Made(
            physical_id=url,
            attributes={"Arn": aws.arn("sqs", name), "QueueName": name, "QueueUrl": url},
        )

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        settings = _texts(only(properties, _QUEUE_SETTINGS))
        aws.sqs.set_queue_attributes(QueueUrl=made.physical_id, Attributes=settings)
        return made

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        aws.sqs.delete_queue(QueueUrl=made.physical_id)


class QueuePolicy(Kind):
    type = "AWS::SQS::QueuePolicy"
    applied = words("Queues PolicyDocument")

    @override
    def create(self, aws: Aws, name: str, properties: Properties) -> Made:
        self._put(aws, properties, json.dumps(properties["PolicyDocument"]))
        return Made(physical_id=name)

    @override
    def update(self, aws: Aws, made: Made, properties: Properties, before: Properties) -> Made:
        return self.create(aws, made.physical_id, properties)

    @override
    def delete(self, aws: Aws, made: Made, properties: Properties) -> None:
        self._put(aws, properties, "")

    def _put(self, aws: Aws, properties: Properties, document: str) -> None:
        for queue in properties["Queues"]:
            aws.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": document})


def _texts(settings: dict[str, Any]) -> dict[str, str]:
    """Return attribute values as the texts that SNS and SQS take."""
    return {name: _text(value) for name, value in settings.items()}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value)


KINDS: tuple[Kind, ...] = (Topic(), TopicPolicy(), Subscription(), Queue(), QueuePolicy())
