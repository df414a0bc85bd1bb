"""Who is told, as it is synthesized: one topic, one function with what it needs and no more, and refusals in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template as Assertions

from lambda_handlers.notifying.decisions import TYPES
from nova_constructs import Approval, Floor, Notifications, NovaCustomization, QualityGate, TrainingJobs
from nova_constructs.checks import ConfigurationError
from nova_constructs.evaluation_task import EvaluationTask

Template = dict[str, Any]
EMAILS = {"emails": ["team@example.com"], "events": ["run_failed", "deployed"]}


@pytest.fixture(scope="module")
def told(synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any]) -> Template:
    return synthesize({**entry, "notifications": EMAILS, "approval": {}})["Nova-Support"]


def resources(template: Template, kind: str) -> list[dict[str, Any]]:
    return [each["Properties"] for each in template["Resources"].values() if each["Type"] == kind]


def customization(scope: Stack, notifications: Notifications | None) -> NovaCustomization:
    return NovaCustomization(
        scope,
        "Support",
        model="NOVA_LITE_2",
        method="SFT_LORA",
        platform=TrainingJobs(instance_type="ml.p5.48xlarge", instance_count=4),
        evaluation=[EvaluationTask(task="mmlu")],
        gate=QualityGate(criteria=[Floor(task="mmlu", floor=0.5)]),
        approval=Approval(),
        notifications=notifications,
    )


def test_one_topic_is_encrypted_and_takes_nothing_without_tls(told: Template) -> None:
    [topic] = resources(told, "AWS::SNS::Topic")
    assert topic["KmsMasterKeyId"]["Fn::GetAtt"][0] == "SupportStoreKeyEF73341A"
    [policy] = resources(told, "AWS::SNS::TopicPolicy")
    [found] = policy["PolicyDocument"]["Statement"]
    assert (found["Effect"], found["Action"]) == ("Deny", "sns:Publish")
    assert found["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert "SupportTopicArn" in told["Outputs"]


def test_mailboxes_get_what_they_want(told: Template) -> None:
    [mailbox] = resources(told, "AWS::SNS::Subscription")
    assert (mailbox["Protocol"], mailbox["Endpoint"]) == ("email", "team@example.com")
    assert mailbox["FilterPolicy"] == {"event": ["run_failed", "deployed"]}


def test_the_function_reads_the_stream_of_the_ledger_and_tells_and_no_more(told: Template) -> None:
    [policy] = [
        each["Properties"]["PolicyDocument"]["Statement"]
        for name, each in told["Resources"].items()
        if each["Type"] == "AWS::IAM::Policy" and "AnnouncementsAnnounce" in name
    ]
    by_sid = {each["Sid"]: each for each in policy}
    assert set(by_sid) == {
        *("WriteLogs", "TellSubscribers", "TellRules", "ReadLedgerStream", "ListStreams", "KeepUntold"),
        *("UseKeyThroughSns", "UseKeyThroughDynamodb"),
    }
    assert by_sid["TellRules"]["Condition"] == {"StringEquals": {"events:source": "nova.customization"}}
    assert json.dumps(by_sid["TellRules"]["Resource"]).endswith(':event-bus/default"]]}')
    assert by_sid["ReadLedgerStream"]["Resource"]["Fn::GetAtt"][1] == "StreamArn"
    assert by_sid["UseKeyThroughDynamodb"]["Action"] == "kms:Decrypt"


def test_each_decision_is_tried_again_and_kept(told: Template) -> None:
    [mapping] = resources(told, "AWS::Lambda::EventSourceMapping")
    assert (mapping["BatchSize"], mapping["StartingPosition"]) == (1, "TRIM_HORIZON")
    assert (mapping["MaximumRetryAttempts"], mapping["MaximumRecordAgeInSeconds"]) == (-1, 3600)
    assert "Undelivered" in json.dumps(mapping["DestinationConfig"]["OnFailure"])
    [pattern] = [json.loads(each["Pattern"]) for each in mapping["FilterCriteria"]["Filters"]]
    assert pattern["dynamodb"]["NewImage"]["type"]["S"] == list(TYPES)


def test_an_alarm_that_could_not_be_told_is_kept(told: Template) -> None:
    [config] = [
        each["Properties"]
        for name, each in told["Resources"].items()
        if each["Type"] == "AWS::Lambda::EventInvokeConfig" and "Announcements" in name
    ]
    assert "AnnouncementsAnnounce" in config["FunctionName"]["Ref"]
    # What rules call is the function, which is its newest code, and no version of it.
    assert config["Qualifier"] == "$LATEST"
    assert "Undelivered" in json.dumps(config["DestinationConfig"]["OnFailure"])


def test_a_topic_of_ones_own_is_told_and_subscriptions_can_be_added() -> None:
    stack = Stack(App(), "Nova")
    topic = sns.Topic(stack, "Mine")
    made = customization(stack, Notifications(topic=topic))
    assert made.topic is topic
    made.topic.add_subscription(subscriptions.SqsSubscription(sqs.Queue(stack, "Queue")))
    template = Assertions.from_stack(stack)
    template.resource_count_is("AWS::SNS::Topic", 1)
    template.resource_count_is("AWS::SNS::Subscription", 1)


@pytest.mark.parametrize(
    ("notifications", "words"),
    [
        (Notifications(emails=["team"]), "notifications.emails has 'team': give addresses"),
        (Notifications(emails=["a@b.de"], events=["done"]), "notifications.events has 'done': use run_started"),
        (Notifications(events=["deployed"]), "but there are no emails"),
        (Notifications(topic="my-topic"), "notifications has the topic 'my-topic'"),
        (Notifications(topic="arn:aws:sns:us-east-1:111122223333:a.fifo"), "a standard topic"),
    ],
)
def test_what_cannot_work_is_told_at_synth(notifications: Notifications, words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        customization(Stack(App(), "Nova"), notifications)
    assert words in str(refused.value)


@pytest.mark.parametrize("of", ["us-west-2", "us-east-1"])
def test_a_topic_of_another_region_is_told_at_synth(of: str) -> None:
    stack = Stack(App(), "Nova", env=Environment(account="111122223333", region="us-east-1"))
    notifications = Notifications(topic=f"arn:aws:sns:{of}:111122223333:releases")
    if of == "us-east-1":
        assert customization(stack, notifications).topic.topic_arn == notifications.topic
        return
    with pytest.raises(ConfigurationError, match="of us-west-2, the stack is in us-east-1: use one of its Region"):
        customization(stack, notifications)


def test_a_settings_file_gives_what_python_gives() -> None:
    given = Notifications.from_settings({**EMAILS, "topic_arn": "arn:aws:sns:us-east-1:1:t"})
    assert given == Notifications(**EMAILS, topic="arn:aws:sns:us-east-1:1:t")  # type: ignore[arg-type]
