"""Who is told what was decided: one SNS topic for each customization, and events on the default bus.

Creates the topic and the function `announce`, which reads the stream of the ledger's table: what the ledger has taken
is told, at least once, and nothing that a run does waits for it. What cannot be told goes to the dead-letter queue.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Duration, Stack, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lambda_handlers.notifying.decisions import TYPES
from lambda_handlers.notifying.names import EVENTS
from lambda_handlers.notifying.notice import SOURCE
from lambda_handlers.notifying.operations import ALARM_EVENT
from nova_constructs.handler_function import HandlerFunction
from nova_constructs.stage import Workshop

_MAILBOX = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Notifications:
    """Who is told of the decisions of a customization beside whoever subscribes to its topic.

    `emails` are addresses, each of which has to confirm. `events` limits what they get, by the names in docs/events.md;
    by default they get all. `topic` is one of yours, standard and of the same Region, in place of the one that is made.
    """

    emails: Sequence[str] = ()
    events: Sequence[str] = ()
    topic: sns.ITopic | str | None = None

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Notifications:
        """Read the words of a settings file: `emails`, `events`, `topic_arn`."""
        given = {name: settings[name] for name in ("emails", "events") if name in settings}
        return cls(**given, topic=settings.get("topic_arn"))

    def problems(self) -> Iterable[str]:
        """Yield what cannot work."""
        for email in self.emails:
            if not Token.is_unresolved(email) and not _MAILBOX.fullmatch(email):
                yield f"notifications.emails has {email!r}: give addresses such as team@example.com"
        for event in self.events:
            if event not in EVENTS:
                yield f"notifications.events has {event!r}: use {', '.join(EVENTS)}"
        if self.events and not self.emails:
            yield "notifications.events limits what emails get, but there are no emails"
        if isinstance(self.topic, str) and not Token.is_unresolved(self.topic) and not _is_topic(self.topic):
            allowed = "the ARN of a standard topic, arn:aws:sns:REGION:ACCOUNT:NAME"
            yield f"notifications has the topic {self.topic!r}: give {allowed}"

    def problems_in(self, region: str) -> Iterable[str]:
        """Yield what cannot work in a Region: SNS publishes to topics of its own."""
        topic = self.topic if self.topic is None or isinstance(self.topic, str) else self.topic.topic_arn
        if topic is None or Token.is_unresolved(topic) or Token.is_unresolved(region) or not _is_topic(topic):
            return
        if (there := topic.split(":")[3]) != region:
            yield f"notifications has the topic {topic!r} of {there}, the stack is in {region}: use one of its Region"


class Announcements(Construct):
    """Tells of decisions. Attributes: `topic`, `announce`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        workshop: Workshop,
        notifications: Notifications,
        undelivered: sqs.Queue,
        alarms: Sequence[cloudwatch.Alarm],
        name: str,
    ) -> None:
        """Create topic and function; `name` is the customization's, `alarms` are told of too when they go off."""
        super().__init__(scope, construct_id)
        self._workshop, self._undelivered = workshop, undelivered
        given = self._given_topic(notifications)
        self._owns_topic = given is None
        self.topic: sns.ITopic = given or self._own_topic()
        for email in notifications.emails:
            self.topic.add_subscription(subscriptions.EmailSubscription(email, filter_policy=_filter(notifications)))
        self.announce = HandlerFunction(
            self,
            "Announce",
            handler="announce",
            timeout=Duration.minutes(1),
            environment={
                "TOPIC_ARN": self.topic.topic_arn,
                "CUSTOMIZATION": workshop.identity.customization,
                "CUSTOMIZATION_NAME": name,
                "STACK_NAME": Stack.of(self).stack_name,
            },
        )
        self._allow()
        self._read_ledger()
        self._watch(alarms)

    def _given_topic(self, notifications: Notifications) -> sns.ITopic | None:
        topic = notifications.topic
        return sns.Topic.from_topic_arn(self, "Topic", topic) if isinstance(topic, str) else topic

    def _own_topic(self) -> sns.Topic:
        return sns.Topic(
            self,
            "Told",
            display_name="Nova Constructs",
            master_key=self._workshop.store.key,
            enforce_ssl=True,
        )

    def _allow(self) -> None:
        announce = self.announce
        announce.allow("TellSubscribers", ["sns:Publish"], [self.topic.topic_arn])
        if self._owns_topic:
            # What SNS asks of publishers to an encrypted topic (SNS guide, "Managing encryption keys and costs").
            announce.use_key(self._workshop.store.key, "sns", "kms:Decrypt", "kms:GenerateDataKey")
        bus = Stack.of(self).format_arn(service="events", resource="event-bus", resource_name="default")
        announce.allow("TellRules", ["events:PutEvents"], [bus], {"StringEquals": {"events:source": SOURCE}})

    def _read_ledger(self) -> None:
        """Have the function called with each decision, in the order of its run, until it is told or an hour is over."""
        announce, table = self.announce, self._workshop.ledger.table
        stream = str(table.table_stream_arn)
        reading = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")
        announce.allow("ReadLedgerStream", reading, [stream])
        # Of no resource (Service Authorization Reference); Lambda asks for it when a mapping is made.
        announce.allow("ListStreams", ["dynamodb:ListStreams"], ["*"])
        announce.use_key(self._workshop.store.key, "dynamodb", "kms:Decrypt")
        announce.allow("KeepUntold", ["sqs:SendMessage"], [self._undelivered.queue_arn])
        pattern = {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"type": {"S": list(TYPES)}}}}
        mapping = lambda_.CfnEventSourceMapping(
            self,
            "Ledger",
            event_source_arn=stream,
            function_name=announce.function.function_arn,
            starting_position="TRIM_HORIZON",
            # One decision at a time: what cannot be told takes nothing else along.
            batch_size=1,
            # As often as it takes within the hour: the pause between tries is not ours to say.
            maximum_retry_attempts=-1,
            maximum_record_age_in_seconds=3600,
            filter_criteria=lambda_.CfnEventSourceMapping.FilterCriteriaProperty(
                filters=[lambda_.CfnEventSourceMapping.FilterProperty(pattern=json.dumps(pattern))]
            ),
            destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
                on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(destination=self._undelivered.queue_arn)
            ),
        )
        # Lambda looks at the role's permissions when the mapping is made.
        mapping.node.add_dependency(announce.role)

    def _watch(self, alarms: Sequence[cloudwatch.Alarm]) -> None:
        # What the rule delivered is Lambda's: a call that failed, and failed twice more, would be dropped.
        lambda_.CfnEventInvokeConfig(
            self,
            "FailedCalls",
            function_name=self.announce.function.function_name,
            qualifier="$LATEST",
            maximum_retry_attempts=2,
            maximum_event_age_in_seconds=3600,
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=self._undelivered.queue_arn)
            ),
        )
        events.Rule(
            self,
            "AlarmWentOff",
            description="Nova Constructs: an alarm of the workflow itself went off",
            event_pattern=events.EventPattern(
                source=["aws.cloudwatch"],
                detail_type=[ALARM_EVENT],
                resources=[alarm.alarm_arn for alarm in alarms],
                # Not from INSUFFICIENT_DATA: a new stack's reconciler has made no pass yet, which is an alarm too.
                detail={"state": {"value": ["ALARM"]}, "previousState": {"value": ["OK"]}},
            ),
            targets=[targets.LambdaFunction(self.announce.function, dead_letter_queue=self._undelivered)],
        )


def _filter(notifications: Notifications) -> dict[str, sns.SubscriptionFilter] | None:
    if not notifications.events:
        return None
    return {"event": sns.SubscriptionFilter.string_filter(allowlist=list(notifications.events))}


def _is_topic(arn: str) -> bool:
    parts = arn.split(":")
    return len(parts) == 6 and parts[0] == "arn" and parts[2] == "sns" and bool(parts[5]) and not arn.endswith(".fifo")
