"""Events reach their targets with the rights that were given, and say where they went when they do not."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from nova_constructs.emulator import Emulator
from tests.emulator.core_support import Assembly, allow, arn_of, eventually, messages, ref, role

QUEUES = ("Inbox", "Transformed", "Dead", "Closed", "Ticks")


def _queue_policy(queue: str, service: str = "events.amazonaws.com") -> dict:
    statement = {
        "Sid": "Deliver",
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage",
        "Resource": arn_of(queue),
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"Type": "AWS::SQS::QueuePolicy", "Properties": {"Queues": [ref(queue)], "PolicyDocument": document}}


def _rule(pattern: dict | None, *targets: dict, **properties) -> dict:
    given = {"Targets": list(targets), **properties}
    if pattern is not None:
        given["EventPattern"] = pattern
    return {"Type": "AWS::Events::Rule", "Properties": given}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    assembly = Assembly(tmp_path_factory.mktemp("assembly"))
    for queue in QUEUES:
        assembly.add(**{queue: {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": queue}}})
        if queue != "Closed":
            assembly.add(**{f"{queue}Policy": _queue_policy(queue)})
    assembly.function("Seen", "seen = []\ndef handler(event, context): seen.append(event); return seen")
    assembly.machine(
        "Machine",
        {
            "StartAt": "Call",
            "States": {
                "Call": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::lambda:invoke",
                    "Parameters": {"FunctionName": "${Seen}", "Payload.$": "$"},
                    "End": True,
                }
            },
        },
    )
    assembly.add(
        Starter=role("events.amazonaws.com", allow("states:StartExecution", ref("Machine"))),
        Stranger=role("events.amazonaws.com"),
        Bucket={
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "VersioningConfiguration": {"Status": "Enabled"},
                "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
            },
        },
        Quiet={"Type": "AWS::S3::Bucket"},
        OnObject=_rule(
            {
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {"bucket": {"name": [ref("Bucket")]}, "object": {"key": [{"prefix": "in/"}]}},
            },
            {
                "Id": "Machine",
                "Arn": ref("Machine"),
                "RoleArn": arn_of("Starter"),
                "InputTransformer": {
                    "InputPathsMap": {"key": "$.detail.object.key", "version": "$.detail.object.version-id"},
                    "InputTemplate": '{"uri": "s3://bucket/<key>", "version": <version>}',
                },
            },
            {"Id": "Inbox", "Arn": arn_of("Inbox")},
        ),
        Both=_rule(
            {"source": ["test.transform"]},
            {"Id": "Path", "Arn": arn_of("Transformed"), "InputPath": "$.detail.inner"},
            {"Id": "Constant", "Arn": arn_of("Transformed"), "Input": '{"constant": true}'},
        ),
        Refused=_rule(
            {"source": ["test.refused"]},
            {
                "Id": "Machine",
                "Arn": ref("Machine"),
                "RoleArn": arn_of("Stranger"),
                "DeadLetterConfig": {"Arn": arn_of("Dead")},
            },
            {"Id": "Closed", "Arn": arn_of("Closed"), "DeadLetterConfig": {"Arn": arn_of("Dead")}},
        ),
        Retried=_rule(
            {"source": ["test.retried"]},
            {
                "Id": "Machine",
                "Arn": ref("Machine"),
                "RoleArn": arn_of("Starter"),
                "RetryPolicy": {"MaximumRetryAttempts": 2},
                "DeadLetterConfig": {"Arn": arn_of("Dead")},
            },
        ),
        Uninvited=_rule({"source": ["test.function"]}, {"Id": "Function", "Arn": arn_of("Seen")}),
        Off=_rule({"source": ["test.off"]}, {"Id": "Inbox", "Arn": arn_of("Inbox")}, State="DISABLED"),
    )
    with Emulator(speed=3600) as running:
        deployed = running.deploy(assembly.output(Bucket=ref("Bucket"), Quiet=ref("Quiet"), Seen=ref("Seen")).write())
        running.outputs = deployed.outputs
        yield running


def _url(emulator, queue: str) -> str:
    return emulator.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]


def _put(emulator, source: str, detail: dict | None = None):
    entry = {"Source": source, "DetailType": "Test", "Detail": json.dumps(detail or {})}
    assert emulator.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0
    emulator.settle()


def _executions(emulator):
    return emulator.client("stepfunctions").list_executions(stateMachineArn=emulator.outputs["MachineArn"])[
        "executions"
    ]


def test_an_uploaded_object_starts_the_machine_with_the_transformed_event(emulator):
    s3, before = emulator.client("s3"), len(_executions(emulator))
    put = s3.put_object(Bucket=emulator.outputs["Bucket"], Key='in/a "b".jsonl', Body=b"{}")
    execution = eventually(lambda: len(_executions(emulator)) > before and _executions(emulator)[0])
    ended = emulator.wait_for_execution(execution["executionArn"], 20)
    assert json.loads(ended["input"]) == {"uri": 's3://bucket/in/a "b".jsonl', "version": put["VersionId"]}
    assert ended["status"] == "SUCCEEDED"
    (message,) = eventually(lambda: messages(emulator, _url(emulator, "Inbox")))
    event = json.loads(message["Body"])
    assert {name: event[name] for name in ("version", "detail-type", "source", "account", "region")} == {
        "version": "0",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "123456789012",
        "region": "us-east-1",
    }
    assert event["resources"] == [f"arn:aws:s3:::{emulator.outputs['Bucket']}"]
    detail = event["detail"]
    assert detail["bucket"] == {"name": emulator.outputs["Bucket"]}
    assert detail["reason"] == "PutObject"
    assert detail["object"]["version-id"] == put["VersionId"]
    assert detail["object"]["size"] == 2
    assert detail["object"]["etag"]
    assert int(detail["object"]["sequencer"], 16) > 0


def test_other_keys_and_buckets_without_notifications_start_nothing(emulator):
    before = len(emulator.deliveries)
    emulator.client("s3").put_object(Bucket=emulator.outputs["Bucket"], Key="out/a", Body=b"")
    emulator.client("s3").put_object(Bucket=emulator.outputs["Quiet"], Key="in/a", Body=b"")
    emulator.settle()
    assert len(emulator.deliveries) == before


def test_a_target_gets_a_part_of_the_event_or_a_constant(emulator):
    _put(emulator, "test.transform", {"inner": {"a": 1}})
    bodies = [json.loads(message["Body"]) for message in messages(emulator, _url(emulator, "Transformed"))]
    assert sorted(bodies, key=str) == [{"a": 1}, {"constant": True}]


def test_refused_deliveries_go_to_the_dead_letter_queue_with_the_reason(emulator):
    _put(emulator, "test.refused", {"n": 1})
    found = eventually(lambda: messages(emulator, _url(emulator, "Dead")))
    by_target = {message["MessageAttributes"]["TARGET_ARN"]["StringValue"]: message for message in found}
    assert set(by_target) == {emulator.outputs["MachineArn"], "arn:aws:sqs:us-east-1:123456789012:Closed"}
    started = by_target[emulator.outputs["MachineArn"]]
    assert started["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "AccessDeniedException"
    assert "states:StartExecution" in started["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]
    assert ":rule/" in started["MessageAttributes"]["RULE_ARN"]["StringValue"]
    assert json.loads(started["Body"])["detail"] == {"n": 1}
    closed = by_target["arn:aws:sqs:us-east-1:123456789012:Closed"]
    assert closed["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"


def test_a_throttled_delivery_is_retried_on_the_clock(emulator):
    emulator.faults.error("stepfunctions", "StartExecution", "ThrottlingException", "slow down", times=2)
    before = len(_executions(emulator))
    _put(emulator, "test.retried")
    eventually(lambda: len(_executions(emulator)) == before + 1)
    assert emulator.deliveries[-1].attempts == 3


def test_retries_end_in_the_dead_letter_queue(emulator):
    emulator.faults.error("stepfunctions", "StartExecution", "ThrottlingException", "slow down", times=3)
    _put(emulator, "test.retried")
    (message,) = eventually(lambda: messages(emulator, _url(emulator, "Dead")))
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "ThrottlingException"
    assert emulator.deliveries[-1].attempts == 3
    assert emulator.deliveries[-1].dead_letter


def test_a_function_without_a_permission_is_not_invoked(emulator):
    _put(emulator, "test.function")
    last = emulator.deliveries[-1]
    assert last.target["Arn"].endswith(emulator.outputs["Seen"])
    assert "lambda:InvokeFunction" in last.error
    arn = last.target["Arn"]
    emulator.client("lambda").add_permission(
        FunctionName=arn,
        StatementId="Rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=last.sender.arn,
    )
    _put(emulator, "test.function")
    assert emulator.deliveries[-1].error == ""


def test_a_disabled_rule_delivers_nothing(emulator):
    before = len(emulator.deliveries)
    _put(emulator, "test.off")
    assert len(emulator.deliveries) == before


def test_events_can_be_lost_or_come_twice(emulator):
    put = emulator.state.put_service_event
    emulator.faults.lose_event("Test", 1)
    put("test.transform", "Test", {"inner": 1})
    emulator.settle()
    assert messages(emulator, _url(emulator, "Transformed")) == []
    emulator.faults.duplicate_event("Test", 1)
    put("test.transform", "Test", {"inner": 1})
    emulator.settle()
    assert len(messages(emulator, _url(emulator, "Transformed"))) == 4


def _inner_of(emulator) -> list:
    found = [json.loads(message["Body"]) for message in messages(emulator, _url(emulator, "Transformed"))]
    return [body for body in found if body != {"constant": True}]


def test_an_event_of_ones_own_can_come_twice_or_not_at_all(emulator):
    emulator.faults.duplicate_event("Test", 1)
    _put(emulator, "test.transform", {"inner": 1})
    assert _inner_of(emulator) == [1, 1]
    assert len({delivery.event_id for delivery in emulator.deliveries[-4:]}) == 1
    emulator.faults.lose_event("Test", 1)
    _put(emulator, "test.transform", {"inner": 2})
    _put(emulator, "test.transform", {"inner": 3})
    assert _inner_of(emulator) == [3]


def test_events_can_overtake_each_other(emulator):
    emulator.faults.delay_event("Test", 3600)
    _put(emulator, "test.transform", {"inner": "late"})
    _put(emulator, "test.transform", {"inner": "in time"})
    assert _inner_of(emulator) == ["in time"]
    assert eventually(lambda: _inner_of(emulator)) == ["late"]
    emulator.faults.reverse_events("Test", 3)
    for number in range(4):
        _put(emulator, "test.transform", {"inner": number})
    sent = [json.loads(each.payload) for each in emulator.deliveries[-8:]]
    assert [body for body in sent if body != {"constant": True}] == [2, 1, 0, 3]
    _inner_of(emulator)


def _schedule(emulator, name: str, expression: str, **target):
    iam = emulator.client("iam")
    arns = {item["RoleName"]: item["Arn"] for item in iam.list_roles()["Roles"]}
    given = {"Arn": "arn:aws:sqs:us-east-1:123456789012:Ticks", "RoleArn": arns["Ticker"], **target}
    emulator.client("scheduler").create_schedule(
        Name=name, ScheduleExpression=expression, FlexibleTimeWindow={"Mode": "OFF"}, Target=given
    )


@pytest.fixture(scope="module")
def _ticker(emulator):
    trust = {"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust["Condition"] = {"StringLike": {"aws:SourceArn": "arn:aws:scheduler:*:*:schedule-group/default"}}
    send = allow("sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:Ticks")
    iam = emulator.client("iam")
    iam.create_role(
        RoleName="Ticker", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    iam.put_role_policy(
        RoleName="Ticker",
        PolicyName="Send",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [send]}),
    )


@pytest.mark.usefixtures("_ticker")
def test_a_rate_fires_on_the_simulated_clock_until_it_is_deleted(emulator):
    begun = emulator.clock.monotonic()
    _schedule(emulator, "often", "rate(30 minutes)", Input='{"tick": 1}')
    taken: list = []
    eventually(lambda: taken.extend(messages(emulator, _url(emulator, "Ticks"))) or len(taken) >= 2)
    assert {message["Body"] for message in taken} == {'{"tick": 1}'}
    assert emulator.clock.monotonic() - begun >= 3600 - 5
    emulator.client("scheduler").delete_schedule(Name="often")
    emulator.settle()
    messages(emulator, _url(emulator, "Ticks"))
    emulator.clock.sleep(7200)
    assert messages(emulator, _url(emulator, "Ticks")) == []


@pytest.mark.usefixtures("_ticker")
def test_at_fires_once(emulator):
    due = datetime.fromtimestamp(emulator.clock.now().timestamp() + 600, UTC)
    _schedule(emulator, "once", f"at({due:%Y-%m-%dT%H:%M:%S})", Input='{"once": 1}')
    (message,) = eventually(lambda: messages(emulator, _url(emulator, "Ticks")))
    assert message["Body"] == '{"once": 1}'
    emulator.clock.sleep(3600)
    assert messages(emulator, _url(emulator, "Ticks")) == []


@pytest.mark.usefixtures("_ticker")
def test_a_schedule_tells_for_which_time_it_fires(emulator):
    due = datetime.fromtimestamp(emulator.clock.now().timestamp() + 600, UTC).replace(microsecond=0)
    text = '{"at": "<aws.scheduler.scheduled-time>", "by": "<aws.scheduler.schedule-arn>"}'
    _schedule(emulator, "telling", f"at({due:%Y-%m-%dT%H:%M:%S})", Input=text)
    (message,) = eventually(lambda: messages(emulator, _url(emulator, "Ticks")))
    told = json.loads(message["Body"])
    assert told["at"] == f"{due:%Y-%m-%dT%H:%M:%SZ}"
    assert told["by"].endswith(":schedule/default/telling")


@pytest.mark.usefixtures("_ticker")
def test_a_schedule_that_is_refused_uses_its_role_for_the_dead_letter_queue(emulator):
    due = datetime.fromtimestamp(emulator.clock.now().timestamp() + 600, UTC)
    _schedule(
        emulator,
        "refused",
        f"at({due:%Y-%m-%dT%H:%M:%S})",
        Arn=emulator.outputs["MachineArn"],
        DeadLetterConfig={"Arn": "arn:aws:sqs:us-east-1:123456789012:Ticks"},
    )
    (message,) = eventually(lambda: messages(emulator, _url(emulator, "Ticks")))
    assert message["MessageAttributes"]["SCHEDULE_ARN"]["StringValue"].endswith(":schedule/default/refused")
    assert "states:StartExecution" in message["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]


def test_a_schedule_rule_fires_too(emulator):
    events = emulator.client("events")
    events.put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")
    events.put_targets(Rule="hourly", Targets=[{"Id": "T", "Arn": "arn:aws:sqs:us-east-1:123456789012:Ticks"}])
    (message,) = eventually(lambda: messages(emulator, _url(emulator, "Ticks")))
    events.disable_rule(Name="hourly")
    event = json.loads(message["Body"])
    assert (event["source"], event["detail-type"], event["detail"]) == ("aws.events", "Scheduled Event", {})
    assert event["resources"] == ["arn:aws:events:us-east-1:123456789012:rule/hourly"]
