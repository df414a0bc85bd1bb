"""Triggers as they are synthesized: one function, a rule or a schedule each, and refusals in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import Duration

from lambda_handlers.starting.trigger import Trigger as ReadTrigger
from nova_constructs import DatasetArrives, OnAlarm, OnEvent, OnSchedule
from nova_constructs.settings import SettingsError
from nova_constructs.trigger import Trigger, words

Template = dict[str, Any]
ALARM = "arn:aws:cloudwatch:us-east-1:111122223333:alarm:Drift"
SETTINGS = [
    {"name": "Data", "on": "dataset", "prefix": "datasets/*new/", "suffix": ".jsonl", "quiet_seconds": 0},
    {"name": "Whole", "on": "dataset", "marker": "_SUCCESS", "mode": "train"},
    {"name": "Nightly", "on": "schedule", "schedule": "cron(0 3 * * ? *)", "time_zone": "Europe/Berlin",
     "mode": "evaluate", "request": {"model": "production"}},
    {"name": "Drift", "on": "alarm", "alarm_arn": ALARM, "cool_down_hours": 1,
     "dataset": "datasets/all/", "force": True},
    {"name": "Own", "on": "event", "pattern": {"source": [{"prefix": "mine."}], "detail-type": ["New"]},
     "dataset_path": "$.detail.at"},
    {"name": "Next", "on": "success", "of": "Other", "from_checkpoint": True, "dataset": "uploads/more.jsonl"},
]  # fmt: skip


@pytest.fixture(scope="module")
def template(synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any]) -> Template:
    entries = [{**entry, "stack": "Both", "triggers": SETTINGS}, {**entry, "name": "Other", "stack": "Both"}]
    return synthesize(*entries)["Both"]


def resources(template: Template, kind: str, part: str = "") -> dict[str, Any]:
    found = template["Resources"].items()
    return {name: each["Properties"] for name, each in found if each["Type"] == kind and part in name}


def rule(template: Template, name: str) -> dict[str, Any]:
    (found,) = resources(template, "AWS::Events::Rule", f"SupportTriggers{name}Rule").values()
    return found


def told(template: Template, name: str) -> dict[str, Any]:
    """Return what the rule of a trigger tells the function, its tokens made texts."""
    text = rule(template, name)["Targets"][0]["InputTransformer"]["InputTemplate"]
    if isinstance(text, dict):
        text = "".join(part if isinstance(part, str) else "BUCKET" for part in text["Fn::Join"][1])
    for field in ("id", "time", "detail"):
        text = text.replace(f"<{field}>", json.dumps(f"<{field}>"))
    found: dict[str, Any] = json.loads(text)
    assert found["event"] == {"id": "<id>", "time": "<time>", "detail": "<detail>"}
    return found["trigger"]  # type: ignore[no-any-return]


def test_every_rule_tells_the_one_function_and_has_the_dead_letter_queue(template: Template) -> None:
    (function,) = resources(template, "AWS::Lambda::Function", "SupportTriggersReceive")
    for name in ("Data", "Whole", "Drift", "Own", "Next"):
        (target,) = rule(template, name)["Targets"]
        assert target["Arn"]["Fn::GetAtt"][0] == function
        assert "Undelivered" in target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]


def test_datasets_are_found_by_prefix_suffix_or_marker(template: Template) -> None:
    data, whole = (rule(template, name)["EventPattern"]["detail"]["object"] for name in ("Data", "Whole"))
    assert data == {"key": [{"wildcard": "datasets/\\*new/*.jsonl"}], "size": [{"numeric": [">", 0]}]}
    assert whole == {"key": ["datasets/_SUCCESS", {"wildcard": "datasets/*/_SUCCESS"}]}
    assert told(template, "Data")["most_objects"] == 1
    read = ReadTrigger.parse(told(template, "Whole"))
    assert (read.marker, read.quiet_seconds, read.longest_seconds) == ("_SUCCESS", 60, 3600)
    assert read.request == {"mode": "train"}


def test_alarms_events_and_the_success_of_others(template: Template) -> None:
    alarm = rule(template, "Drift")["EventPattern"]
    assert (alarm["resources"], alarm["detail"]) == ([ALARM], {"state": {"value": ["ALARM"]}})
    drift = ReadTrigger.parse(told(template, "Drift"))
    assert drift.request == {"force": True, "dataset": {"uri": "s3://BUCKET/datasets/all/"}}
    assert (drift.cool_down_seconds, drift.merges) == (3600, True)
    assert rule(template, "Own")["EventPattern"] == {"source": [{"prefix": "mine."}], "detail-type": ["New"]}
    own = ReadTrigger.parse(told(template, "Own"))
    assert (own.dataset_path, own.merges, own.waits) == ("$.detail.at", False, False)
    (other,) = resources(template, "AWS::StepFunctions::StateMachine", "Other")
    chain = rule(template, "Next")["EventPattern"]
    assert chain["detail"] == {"stateMachineArn": [{"Ref": other}], "status": ["SUCCEEDED"]}
    assert ReadTrigger.parse(told(template, "Next")).checkpoint


def test_a_schedule_has_its_time_zone_and_tells_for_which_time_it_fires(template: Template) -> None:
    (schedule,) = resources(template, "AWS::Scheduler::Schedule", "SupportTriggersNightly").values()
    assert schedule["ScheduleExpression"] == "cron(0 3 * * ? *)"
    assert schedule["ScheduleExpressionTimezone"] == "Europe/Berlin"
    message = json.loads(schedule["Target"]["Input"])
    assert message["event"] == dict.fromkeys(("id", "time"), "<aws.scheduler.scheduled-time>")
    assert message["trigger"]["request"] == {"mode": "evaluate", "model": "production"}
    assert "DeadLetterConfig" in schedule["Target"]


def test_a_customization_without_triggers_has_the_one_for_datasets(template: Template) -> None:
    rules = sorted(resources(template, "AWS::Events::Rule", "OtherTriggers"))
    assert [name[:-8] for name in rules] == ["OtherTriggersDatasetArrivesRule", "OtherTriggersRunEnded"]
    value = json.loads(template["Outputs"]["OtherTriggerDatasetArrives"]["Value"])
    assert value["starts"] == (
        "A run starts when objects are written to datasets/… of the incoming bucket, once nothing has come for "
        "1 minute, over at most 250 objects."
    )
    named = {name for name in template["Outputs"] if name.startswith("SupportTrigger")}
    assert named == {f"SupportTrigger{each['name']}" for each in SETTINGS}


def test_the_end_of_every_run_has_what_waits_looked_at(template: Template) -> None:
    (ended,) = resources(template, "AWS::Events::Rule", "SupportTriggersRunEnded").values()
    (machine,) = resources(template, "AWS::StepFunctions::StateMachine", "Support")
    assert ended["EventPattern"]["detail"] == {
        "stateMachineArn": [{"Ref": machine}],
        "status": ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"],
    }
    (target,) = ended["Targets"]
    assert json.loads(target["Input"]) == {"dispatch": True}


def test_only_the_intake_starts_runs_and_it_may_do_no_more(template: Template) -> None:
    (policy,) = resources(template, "AWS::IAM::Policy", "SupportTriggersReceiveRole").values()
    found = {each["Sid"]: each["Action"] for each in policy["PolicyDocument"]["Statement"]}
    assert found == {
        "KeepArrivals": ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"],
        "SeeOpenRuns": "dynamodb:GetItem",
        "UseKeyThroughDynamodb": found["UseKeyThroughDynamodb"],
        "ListObjects": "s3:PutObject",
        "UseKeyThroughS3": "kms:GenerateDataKey",
        "StartRuns": "states:StartExecution",
        "SeeWhetherRunsEnded": "states:DescribeExecution",
        "KeepFailedCalls": "sqs:SendMessage",
        "ReadOutputOfOthers": "states:DescribeExecution",
        "WriteLogs": ["logs:CreateLogStream", "logs:PutLogEvents"],
    }
    assert all(each["Resource"] != "*" for each in policy["PolicyDocument"]["Statement"])
    others = [name for name in resources(template, "AWS::IAM::Policy") if "TriggersReceive" not in name]
    for name in others:
        for each in template["Resources"][name]["Properties"]["PolicyDocument"]["Statement"]:
            assert each.get("Sid") == "RunShards" or "states:StartExecution" not in each["Action"], name


def test_an_alarm_watches_the_dead_letter_queue_and_failed_calls_go_there(template: Template) -> None:
    (alarm,) = resources(template, "AWS::CloudWatch::Alarm", "SupportUndeliveredAlarm").values()
    assert (alarm["MetricName"], alarm["Threshold"]) == ("ApproximateNumberOfMessagesVisible", 1)
    (failed,) = resources(template, "AWS::Lambda::EventInvokeConfig", "SupportTriggers").values()
    assert "SupportUndelivered" in json.dumps(failed["DestinationConfig"])


def problems(trigger: Trigger) -> list[str]:
    return list(trigger.problems())


@pytest.mark.parametrize(
    ("trigger", "said"),
    [
        (DatasetArrives(prefix="incoming/"), "prefix is 'incoming/': begin with datasets/"),
        (DatasetArrives(suffix=".csv", marker="_SUCCESS"), "suffix and marker are both given"),
        (DatasetArrives(marker="x/_SUCCESS"), "marker is 'x/_SUCCESS': give the name of an object"),
        (DatasetArrives(marker="manifest.json"), "marker is 'manifest.json', which a run would read as data"),
        (DatasetArrives(most_objects=251), "most_objects is 251: use 1 to 250"),
        (DatasetArrives(quiet=Duration.hours(2)), "quiet is 2 hours and longest 1 hour"),
        (DatasetArrives(mode="evaluate"), 'dataset: mode "evaluate" does not use it'),
        (DatasetArrives(mode="trian"), 'mode: received "trian"; allowed: full'),
        (DatasetArrives(request={"reson": "x"}), "reson: unknown key"),
        (OnSchedule(schedule="0 3 * * *", dataset="datasets/a/"), "schedule is '0 3 * * *': use rate"),
        (OnSchedule(schedule="cron(0 3 * * *)", dataset="datasets/a/"), "six fields"),
        (OnSchedule(schedule="rate(1 day)", time_zone="Bonn", dataset="datasets/a/"), "time_zone is 'Bonn'"),
        (OnSchedule(schedule="rate(1 day)"), "dataset: missing"),
        (OnSchedule(schedule="rate(1 day)", dataset="s3://other/a/"), "dataset is 's3://other/a/': give an object"),
        (OnSchedule(schedule="rate(1 day)", mode="evaluate"), "model: missing"),
        (OnAlarm(alarm="Drift", dataset="datasets/a/"), "alarm is 'Drift': give an ARN"),
        (OnEvent(pattern={}, dataset="datasets/a/"), "pattern is empty"),
        (OnEvent(pattern={"detailtype": ["x"]}, dataset="datasets/a/"), "pattern has the key 'detailtype'"),
        (OnEvent(pattern={"source": ["x"]}, dataset="datasets/a/", dataset_path="$.a"), "are both given"),
        (OnEvent(pattern={"source": ["x"]}, dataset_path="detail.a"), "dataset_path is 'detail.a': use steps"),
    ],
)
def test_what_cannot_work_is_refused_in_words(trigger: Trigger, said: str) -> None:
    assert len([problem for problem in problems(trigger) if said in problem]) == 1, problems(trigger)


def test_what_works_has_no_problems() -> None:
    works: list[Trigger] = [
        DatasetArrives(),
        DatasetArrives(marker="_manifest.json", force=True, request={"overrides": {"max_steps": 5}}),
        OnSchedule(schedule="rate(1 day)", mode="evaluate", request={"model": "production"}),
        OnEvent(pattern={"source": ["x"]}, dataset_path="$.detail.items[0].uri"),
    ]
    assert [problems(trigger) for trigger in works] == [[]] * len(works)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"on": "dataset", "schedule": "rate(1 day)"}, "schedule is not for on: dataset; allowed: prefix"),
        ({"on": "alarm"}, "alarm_arn is missing, which on: alarm needs"),
        ({"on": "success", "of": "Nobody"}, "of is 'Nobody', which no customizations are named; allowed: Support"),
        ({"on": "moon"}, "'moon' is not one of"),
    ],
)
def test_a_settings_file_is_refused_in_words(
    synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        synthesize({**entry, "triggers": [{"name": "X", **changes}]})


def test_names_and_circles_are_refused(synthesize: Callable[..., dict[str, Template]], entry: dict[str, Any]) -> None:
    for triggers, said in (
        ([SETTINGS[0], SETTINGS[0]], "'Data': there is one of this name already"),
        ([{"name": "Arrivals", "on": "dataset"}], "use a name of a letter"),
        ([{"name": "X", "on": "success", "of": "Support"}], "run without end"),
    ):
        with pytest.raises(ValueError, match=said):
            synthesize({**entry, "triggers": triggers})


def test_durations_are_told_in_words() -> None:
    told = [words(Duration.seconds(seconds)) for seconds in (0, 45, 60, 3600, 172_800)]
    assert told == ["0 seconds", "45 seconds", "1 minute", "1 hour", "2 days"]
