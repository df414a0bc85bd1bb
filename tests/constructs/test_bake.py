"""What a bake creates, and what is wrong with one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack

from nova_constructs.bake import Bake
from nova_constructs.checks import ConfigurationError
from nova_constructs.deployment_checks import deployment_problems
from nova_constructs.deployment_targets import OnDemand

Synthesize = Callable[..., dict[str, Any]]
ALARM = "arn:aws:cloudwatch:us-east-1:111122223333:alarm:Complaints"
NAMESPACE = "NovaConstructs"


def resources(synthesize: Synthesize, entry: dict[str, Any], kind: str, **deployment: Any) -> list[dict[str, Any]]:
    template = synthesize({**entry, "deployment": {"target": "BEDROCK_OD", **deployment}})["Nova-Support"]
    return [each["Properties"] for each in template["Resources"].values() if each["Type"] == kind]


def watched(synthesize: Synthesize, entry: dict[str, Any], **bake: Any) -> list[Any]:
    return next(rule["EventPattern"]["resources"] for rule in of_bake(synthesize, entry, bake=bake))


def of_bake(synthesize: Synthesize, entry: dict[str, Any], **deployment: Any) -> list[dict[str, Any]]:
    """Return the rules that roll back; that of the workflow's own alarms is there in any case."""
    rules = resources(synthesize, entry, "AWS::Events::Rule", **deployment)
    rules = [rule for rule in rules if rule["EventPattern"]["source"] == ["aws.cloudwatch"]]
    return [rule for rule in rules if "RollBack" in json.dumps(rule["Targets"])]


def alarms(synthesize: Synthesize, entry: dict[str, Any], **deployment: Any) -> list[dict[str, Any]]:
    """Return the alarms on the canary's metrics; those on queue and reconciler are there in any case."""
    made = resources(synthesize, entry, "AWS::CloudWatch::Alarm", **deployment)
    return [alarm for alarm in made if alarm.get("Namespace") == NAMESPACE]


def test_alarms_are_on_the_metrics_of_the_customization(synthesize: Synthesize, entry: dict[str, Any]) -> None:
    bake = {"minutes": 60, "every_minutes": 5, "failures": 3, "latency_seconds": 2.5}
    failures, latency = sorted(alarms(synthesize, entry, bake=bake), key=lambda each: str(each["MetricName"]))
    for alarm in (failures, latency):
        assert alarm["Dimensions"] == [{"Name": "Customization", "Value": "Nova-Support/Support"}]
        assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (300, 3, "notBreaching")
    assert (failures["MetricName"], failures["Statistic"], failures["Threshold"]) == ("Failures", "Maximum", 1)
    assert (latency["MetricName"], latency["Statistic"], latency["Threshold"]) == ("LatencyMs", "Average", 2500)


def test_the_rule_watches_the_canary_and_the_alarms_given(synthesize: Synthesize, entry: dict[str, Any]) -> None:
    both = watched(synthesize, entry, minutes=30, alarms=[ALARM])
    assert both[0] == ALARM
    assert "Fn::GetAtt" in both[1]
    assert watched(synthesize, entry, minutes=30, alarms=[ALARM], canary=False) == [ALARM]


def test_without_a_bake_there_is_neither_canary_nor_rule(synthesize: Synthesize, entry: dict[str, Any]) -> None:
    assert alarms(synthesize, entry) == []
    assert of_bake(synthesize, entry) == []
    assert len(resources(synthesize, entry, "AWS::Scheduler::Schedule")) == 1


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"minutes": 0}, "bake.minutes is 0: use 1 to 10080"),
        ({"minutes": 30, "alarms": ["Complaints"]}, "bake.alarms has 'Complaints': use the ARN of an alarm"),
        ({"minutes": 30, "canary": False}, "neither canary nor alarms: nothing would be watched"),
        ({"minutes": 30, "prompt": " "}, "bake.prompt is empty"),
        ({"minutes": 30, "prompt": "ä" * 1501}, "bake.prompt has 3002 bytes: use at most 3000"),
        ({"minutes": 30, "failures": 0}, "bake.failures is 0: use 1 or more"),
        ({"minutes": 30, "every_minutes": 0}, "bake.every_minutes is 0: use 1 or more"),
        ({"minutes": 30, "latency_seconds": 0}, "bake.latency_seconds is 0: use more than 0"),
        ({"minutes": 3, "failures": 2, "every_minutes": 2}, "the canary's alarm could not go off in time"),
    ],
)
def test_a_bake_that_cannot_work_is_refused_in_words(given: dict[str, Any], says: str) -> None:
    assert [says in problem for problem in Bake(**given).problems()] == [True]


def test_the_synthesis_refuses_it_too(synthesize: Synthesize, entry: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="the canary's alarm could not go off in time"):
        resources(synthesize, entry, "AWS::Events::Rule", bake={"minutes": 1})


@pytest.mark.parametrize(
    ("alarm", "says"),
    [
        (ALARM.replace("us-east-1", "us-west-2"), "of the Region us-west-2: its changes are not told in us-east-1"),
        (ALARM.replace("1111", "9999"), "of the account 999922223333: its changes are not told in 111122223333"),
        (ALARM, ""),
    ],
)
def test_an_alarm_whose_changes_are_told_elsewhere_is_refused(alarm: str, says: str) -> None:
    stack = Stack(App(), "Nova", env=Environment(account="111122223333", region="us-east-1"))
    problems = list(deployment_problems(stack, OnDemand(bake=Bake(minutes=60, alarms=[alarm])), None))
    assert [says in problem for problem in problems] == ([True] if says else [])
