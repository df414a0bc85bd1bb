"""Alarms go by what is measured, on the emulator's clock: their states, events and actions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nova_constructs.emulator import Emulator
from nova_constructs.emulator.cloudformation.preflight import UnsupportedTemplate
from tests.emulator.core_support import Assembly, allow, arn_of, eventually, invoke, messages, ref, role

CHANGE = "CloudWatch Alarm State Change"


def _statement(service: str, action: str, *resources: Any) -> dict[str, Any]:
    allowed = {"Sid": service.split(".")[0], "Effect": "Allow", "Principal": {"Service": service}, "Action": action}
    return {**allowed, "Resource": list(resources)}


def _policy(kind: str, targets: dict[str, Any], *statements: dict[str, Any]) -> dict[str, Any]:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return {"Type": f"AWS::{kind}Policy", "Properties": {**targets, "PolicyDocument": document}}


def _queue(name: str) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}


def _alarm(metric: str, namespace: str = "Mine", **properties: Any) -> dict[str, Any]:
    given = {
        "Namespace": namespace,
        "MetricName": metric,
        "Statistic": "Sum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        **properties,
    }
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": given}


def _of(name: str, value: Any) -> list[dict[str, Any]]:
    return [{"Name": name, "Value": value}]


def _assembly(folder: Path) -> Assembly:
    assembly = Assembly(folder)
    code = "def handler(event, context):\n    return 1 / event.get('by', 1)"
    assembly.function("Divide", code, FunctionName="Divide")
    assembly.function("Tick", "def handler(event, context): return 1", FunctionName="Tick")
    calls = {
        "Metric": {
            "Namespace": "AWS/Lambda",
            "MetricName": "Invocations",
            "Dimensions": _of("FunctionName", ref("Tick")),
        },
        "Period": 300,
        "Stat": "Sum",
    }
    errors = {**calls, "Metric": {**calls["Metric"], "MetricName": "Errors"}}
    stalled = {
        "Metrics": [
            {"Id": "calls", "MetricStat": calls, "ReturnData": False},
            {"Id": "errors", "MetricStat": errors, "ReturnData": False},
            {"Id": "passes", "Expression": "FILL(calls, 0) - FILL(errors, 0)"},
        ],
        "EvaluationPeriods": 3,
        "Threshold": 1,
        "ComparisonOperator": "LessThanThreshold",
        "TreatMissingData": "breaching",
    }
    topic = {"AlarmActions": [ref("Told")], "OKActions": [ref("Told")], "TreatMissingData": "notBreaching"}
    return assembly.add(
        Dead=_queue("Dead"),
        Inbox=_queue("Inbox"),
        InboxPolicy=_policy(
            "SQS::Queue", {"Queues": [ref("Inbox"), ref("Letters")]},
            _statement("events.amazonaws.com", "sqs:SendMessage", arn_of("Inbox")),
            _statement("sns.amazonaws.com", "sqs:SendMessage", arn_of("Letters")),
        ),
        Letters=_queue("Letters"),
        Told={"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "Told"}},
        ToldPolicy=_policy(
            "SNS::Topic", {"Topics": [ref("Told")]},
            _statement("cloudwatch.amazonaws.com", "sns:Publish", ref("Told")),
        ),
        Read={
            "Type": "AWS::SNS::Subscription",
            "Properties": {"Protocol": "sqs", "TopicArn": ref("Told"), "Endpoint": arn_of("Letters")},
        },
        OnChange={
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventPattern": {"detail-type": [CHANGE]},
                "Targets": [{"Id": "Inbox", "Arn": arn_of("Inbox")}],
            },
        },
        Failing=_alarm(
            "Errors", "AWS/Lambda", AlarmName="Failing", Dimensions=_of("FunctionName", "Divide"),
            TreatMissingData="notBreaching",
        ),
        Undelivered=_alarm(
            "ApproximateNumberOfMessagesVisible", "AWS/SQS", AlarmName="Undelivered", Statistic="Maximum",
            Dimensions=_of("QueueName", "Dead"), TreatMissingData="notBreaching",
        ),
        Stalled={"Type": "AWS::CloudWatch::Alarm", "Properties": {**stalled, "AlarmName": "Stalled"}},
        Scores=_alarm(
            "Score", AlarmName="Scores", Statistic="Average", Period=60, EvaluationPeriods=3, DatapointsToAlarm=2,
            Threshold=0.5, ComparisonOperator="LessThanThreshold", Dimensions=_of("Model", "one"), **topic,
        ),
        Ticker=role("scheduler.amazonaws.com", allow("lambda:InvokeFunction", arn_of("Tick"))),
        Every={
            "Type": "AWS::Scheduler::Schedule",
            "Properties": {
                "Name": "Every",
                "ScheduleExpression": "rate(5 minutes)",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {"Arn": arn_of("Tick"), "RoleArn": arn_of("Ticker")},
            },
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(speed=1800) as running:
        running.deploy(_assembly(tmp_path_factory.mktemp("alarms")).write())
        yield running


def url(emulator: Emulator, queue: str) -> str:
    return str(emulator.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"])


def state_of(emulator: Emulator, name: str) -> str:
    (found,) = emulator.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(found["StateValue"])


def becomes(emulator: Emulator, name: str, state: str) -> None:
    eventually(lambda: state_of(emulator, name) == state)


def put(emulator: Emulator, value: float, model: str = "one") -> None:
    datum = {"MetricName": "Score", "Dimensions": _of("Model", model), "Value": value}
    emulator.client("cloudwatch").put_metric_data(Namespace="Mine", MetricData=[datum])


def minutes(emulator: Emulator, value: float, count: int, model: str = "one") -> None:
    for _ in range(count):
        put(emulator, value, model)
        emulator.clock.sleep(60)


def test_an_alarm_goes_by_the_metric_that_is_put_and_tells_event_and_topic(emulator: Emulator) -> None:
    becomes(emulator, "Scores", "OK")
    minutes(emulator, 0.1, 6, model="another")
    assert state_of(emulator, "Scores") == "OK"
    for queue in ("Inbox", "Letters"):
        messages(emulator, url(emulator, queue))
    minutes(emulator, 0.1, 6)
    becomes(emulator, "Scores", "ALARM")
    minutes(emulator, 0.9, 6)
    becomes(emulator, "Scores", "OK")
    told = [json.loads(each["Body"]) for each in eventually(lambda: messages(emulator, url(emulator, "Inbox")))]
    mine = [each["detail"] for each in told if each["detail"]["alarmName"] == "Scores"]
    assert [(each["previousState"]["value"], each["state"]["value"]) for each in mine][:1] == [("OK", "ALARM")]
    assert "compared with 0.5" in mine[0]["state"]["reason"]
    found = eventually(lambda: messages(emulator, url(emulator, "Letters")))
    letters = [json.loads(json.loads(each["Body"])["Message"]) for each in found]
    assert [each["NewStateValue"] for each in letters][:1] == ["ALARM"]


def test_errors_of_a_function_are_measured(emulator: Emulator) -> None:
    becomes(emulator, "Failing", "OK")
    invoke(emulator, "Divide", {"by": 2})
    emulator.clock.sleep(700)
    assert state_of(emulator, "Failing") == "OK"
    invoke(emulator, "Divide", {"by": 0})
    becomes(emulator, "Failing", "ALARM")
    becomes(emulator, "Failing", "OK")


def test_messages_that_lie_in_a_queue_are_measured(emulator: Emulator) -> None:
    becomes(emulator, "Undelivered", "OK")
    queue = emulator.client("sqs")
    queue.send_message(QueueUrl=url(emulator, "Dead"), MessageBody="{}")
    becomes(emulator, "Undelivered", "ALARM")
    queue.purge_queue(QueueUrl=url(emulator, "Dead"))
    becomes(emulator, "Undelivered", "OK")


def test_an_alarm_on_metric_math_sees_that_a_schedule_calls_no_more(emulator: Emulator) -> None:
    becomes(emulator, "Stalled", "OK")
    scheduler = emulator.client("scheduler")
    every = scheduler.get_schedule(Name="Every")
    again = {key: every[key] for key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    scheduler.update_schedule(**again, State="DISABLED")
    becomes(emulator, "Stalled", "ALARM")
    scheduler.update_schedule(**again, State="ENABLED")
    becomes(emulator, "Stalled", "OK")


def test_a_state_that_was_set_lasts_until_the_next_look(emulator: Emulator) -> None:
    becomes(emulator, "Undelivered", "OK")
    watch = emulator.client("cloudwatch")
    with emulator.clock.busy():
        watch.set_alarm_state(AlarmName="Undelivered", StateValue="ALARM", StateReason="a test")
        assert state_of(emulator, "Undelivered") == "ALARM"
    becomes(emulator, "Undelivered", "OK")


def test_an_alarm_that_is_changed_keeps_its_state_and_one_that_is_deleted_is_looked_at_no_more(
    emulator: Emulator,
) -> None:
    watch = emulator.client("cloudwatch")
    alarm = {
        "AlarmName": "Mine", "Namespace": "Mine", "MetricName": "None", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "LessThanThreshold",
    }  # fmt: skip
    with emulator.clock.busy():
        watch.put_metric_alarm(**alarm)
        assert state_of(emulator, "Mine") == "INSUFFICIENT_DATA"
    watch.put_metric_alarm(**alarm, TreatMissingData="breaching")
    becomes(emulator, "Mine", "ALARM")
    with emulator.clock.busy():
        watch.put_metric_alarm(**alarm, TreatMissingData="ignore")
        assert state_of(emulator, "Mine") == "ALARM"
    watch.delete_alarms(AlarmNames=["Mine"])
    emulator.clock.sleep(300)
    assert watch.describe_alarms(AlarmNames=["Mine"])["MetricAlarms"] == []


def test_an_alarm_that_could_not_be_honoured_is_refused(emulator: Emulator, tmp_path: Path) -> None:
    wrong = _alarm("ExecutionsFailed", "AWS/States", Period=10, Statistic="p99", Unit="Count")
    with pytest.raises(UnsupportedTemplate) as refused:
        emulator.deploy(Assembly(tmp_path, "Wrong").add(Wrong=wrong).write())
    for said in ("AWS/States ExecutionsFailed", "the statistic p99", "the period of 10 s", "Unit of an alarm"):
        assert said in str(refused.value)
    with pytest.raises(ClientError, match="AWS/States ExecutionsFailed"):
        emulator.client("cloudwatch").put_metric_alarm(AlarmName="Wrong", **{**wrong["Properties"], "Statistic": "Sum"})
    assert emulator.client("cloudwatch").describe_alarms(AlarmNames=["Wrong"])["MetricAlarms"] == []
