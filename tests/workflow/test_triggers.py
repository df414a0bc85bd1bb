"""What starts runs by itself: each thing that happens is in exactly one run, whatever its events do on the way."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from nova_constructs.emulator import Emulator
from tests.workflow.harness import SPEED, Workflow, dataset, synthesize_all, until

pytestmark = pytest.mark.slow

OBJECT, ALARM_CHANGE, OWN = "Object Created", "CloudWatch Alarm State Change", "Catalogue Changed"
ALARM = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:Drift"
DEMO = {
    "stack": "Both",
    "triggers": [
        {"name": "Data", "on": "dataset", "mode": "prepare"},
        {"name": "Drift", "on": "alarm", "alarm_arn": ALARM, "mode": "prepare", "dataset": "uploads/drift/"},
        {"name": "Own", "on": "event", "mode": "prepare", "dataset_path": "$.detail.catalogue.where",
         "pattern": {"source": ["shop"], "detail-type": [OWN], "detail": {"kind": ["final"]}}},
    ],
}  # fmt: skip
NEXT = {
    "name": "Next",
    "stack": "Both",
    "triggers": [
        {"name": "Chained", "on": "success", "of": "Demo", "mode": "prepare", "dataset": "uploads/next.jsonl",
         "force": True},
        {"name": "Regular", "on": "schedule", "schedule": "rate(6 hours)", "mode": "prepare",
         "dataset": "uploads/next.jsonl"},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workflow, Workflow]]:
    assembly = synthesize_all(tmp_path_factory.mktemp("triggers"), DEMO, NEXT)
    with Emulator(speed=SPEED) as emulator:
        demo = Workflow(emulator, assembly)
        following = Workflow(emulator, assembly, name="Next")
        demo.put("IncomingBucketName", "uploads/drift/rows.jsonl", dataset(salt="drift"))
        following.put("IncomingBucketName", "uploads/next.jsonl", dataset(salt="next"))
        yield demo, following


@pytest.fixture(scope="module")
def workflow(both: tuple[Workflow, Workflow]) -> Workflow:
    return both[0]


def output(workflow: Workflow, arn: str) -> dict[str, Any]:
    ended = workflow.finish(arn)
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    return json.loads(ended["output"])  # type: ignore[no-any-return]


def one_more(workflow: Workflow, trigger: str, before: int) -> dict[str, Any]:
    """Wait for one more run of a trigger, and let two hours pass in which no other may come."""
    until(lambda: len(workflow.started_by(trigger)) > before or None, f"a run by {trigger}")
    workflow.emulator.clock.sleep(2 * 3600)
    found = workflow.started_by(trigger)
    assert len(found) == before + 1, [each["trigger"] for each in found]
    return found[-1]


def test_one_object_is_one_run_that_says_what_started_it_and_the_same_again_is_skipped(workflow: Workflow) -> None:
    body, before = dataset(salt="single"), len(workflow.started_by("Data"))
    (key,) = workflow.burst([body])
    started = one_more(workflow, "Data", before)
    first = output(workflow, started["arn"])
    assert (first["status"], started["dataset"]["uri"].endswith(key)) == ("SUCCEEDED", True)
    recorded = workflow.record(first["run_id"])["ledger"][0]["detail"]["asked"]["trigger"]
    assert recorded == started["trigger"]
    assert (recorded["kind"], recorded["id"], recorded["count"]) == ("dataset", started["dataset"]["version_id"], 1)
    workflow.burst([body])
    again = output(workflow, one_more(workflow, "Data", before + 1)["arn"])
    assert (again["status"], first["run_id"] in again["cause"]) == ("SKIPPED", True)


@pytest.mark.parametrize("events", ["as they come", "twice", "out of order", "some late"])
def test_a_burst_is_one_run_over_all_of_it(workflow: Workflow, events: str) -> None:
    faults, before = workflow.emulator.faults, len(workflow.started_by("Data"))
    if events == "twice":
        faults.duplicate_event(OBJECT, times=None)
    elif events == "out of order":
        faults.reverse_events(OBJECT, 50)
    elif events == "some late":
        faults.delay_event(OBJECT, 30, times=20)
    workflow.burst([dataset(rows=3, salt=f"{events} {number}") for number in range(50)])
    started = one_more(workflow, "Data", before)
    found = output(workflow, started["arn"])
    assert started["trigger"]["count"] == 50
    assert (found["rows"]["in"], len(found["dataset"]["objects"])) == (150, 50)
    assert found["status"] == "SUCCEEDED"


def test_a_flapping_alarm_starts_one_run_within_its_cool_down(workflow: Workflow) -> None:
    watch = workflow.emulator.client("cloudwatch")
    watch.put_metric_alarm(
        AlarmName="Drift", MetricName="Score", Namespace="Mine", Statistic="Average", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="LessThanThreshold",
    )  # fmt: skip
    workflow.emulator.faults.duplicate_event(ALARM_CHANGE, times=None)
    for value in (0.1, 1.9) * 6:
        watch.put_metric_data(Namespace="Mine", MetricData=[{"MetricName": "Score", "Value": value}])
        workflow.emulator.clock.sleep(180)
    assert workflow.emulator.faults.fired["duplicate_event"] > 3
    started = one_more(workflow, "Drift", 0)
    assert output(workflow, started["arn"])["status"] == "SUCCEEDED"
    assert started["trigger"]["kind"] == "alarm"


def test_an_event_of_ones_own_starts_a_run_over_the_dataset_it_names(workflow: Workflow) -> None:
    bus = workflow.emulator.client("events")
    workflow.emulator.faults.duplicate_event(OWN, times=None)
    workflow.put("IncomingBucketName", "uploads/own.jsonl", dataset(salt="own"))
    where = f"s3://{workflow['IncomingBucketName']}/uploads/own.jsonl"
    for kind in ("draft", "final"):
        detail = json.dumps({"kind": kind, "catalogue": {"where": where}})
        bus.put_events(Entries=[{"Source": "shop", "DetailType": OWN, "Detail": detail}])
    started = one_more(workflow, "Own", 0)
    assert started["dataset"] == {"uri": where}
    assert output(workflow, started["arn"])["status"] == "SUCCEEDED"


def test_an_event_that_cannot_be_used_is_in_the_dead_letter_queue_with_the_reason(workflow: Workflow) -> None:
    detail = json.dumps({"kind": "final", "catalogue": {}})
    entry = {"Source": "shop", "DetailType": OWN, "Detail": detail}
    workflow.emulator.client("events").put_events(Entries=[entry])
    queue = workflow.emulator.client("sqs")
    (message,) = until(
        lambda: queue.receive_message(QueueUrl=workflow["UndeliveredQueueUrl"]).get("Messages"), "the refusal"
    )
    told = json.loads(message["Body"])
    assert "has null at $.detail.catalogue.where" in told["responsePayload"]["errorMessage"]
    assert told["requestPayload"]["event"]["detail"] == {"kind": "final", "catalogue": {}}


def test_a_schedule_starts_one_run_each_time(both: tuple[Workflow, Workflow]) -> None:
    _, following = both
    until(lambda: len(following.started_by("Regular")) >= 3 or None, "three runs on schedule")
    times = [datetime.fromisoformat(each["trigger"]["id"]) for each in following.started_by("Regular")]
    steps = {after - before for before, after in itertools.pairwise(times)}
    assert all(timedelta(hours=6) <= step < timedelta(hours=6, minutes=5) for step in steps), steps


def test_every_success_of_the_one_starts_the_other_and_nothing_else_does(both: tuple[Workflow, Workflow]) -> None:
    """Last, over everything that the tests before have run."""
    workflow, following = both
    machine = workflow["StateMachineArn"]
    listed = workflow.states.list_executions(stateMachineArn=machine, maxResults=1000)["executions"]
    outputs = {each["executionArn"]: output(workflow, each["executionArn"])["status"] for each in listed}
    succeeded = {arn for arn, status in outputs.items() if status == "SUCCEEDED"}
    assert "SKIPPED" in outputs.values()
    until(lambda: len(following.started_by("Chained")) >= len(succeeded) or None, "the runs of the other")
    assert {each["trigger"]["id"] for each in following.started_by("Chained")} == succeeded
    assert [f"{c.role_name} {c.action} {c.resource}" for c in workflow.emulator.calls.denied()] == []
