"""What is told of runs on the emulator: exactly the decisions, to a filtered queue and to a rule of EventBridge."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from nova_constructs.emulator import Emulator
from tests.emulator.core_support import messages
from tests.notifying.test_notices import ALARM, SCHEMA
from tests.workflow import people
from tests.workflow.harness import SPEED, Workflow, jsonl, synthesize, until

import jsonschema  # isort: skip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ACCOUNT = "123456789012"
SERIOUS = ("warning", "error")
APPROVED = ["run_started", "gate_passed", "approval_requested", "approval_answered", "deployed", "run_succeeded"]


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflow]:
    """Return a customization that asks for approval, with a queue for what is serious and one for every event."""
    assembly = synthesize(
        tmp_path_factory.mktemp("told"),
        approval={"deadline_hours": 8},
        data={"columns": {"question": "question", "answer": "answer"}, "max_reject_ratio": 0.5},
        notifications={"emails": ["team@example.com"], "events": ["run_failed"]},
    )
    with Emulator(speed=SPEED) as emulator:
        made = Workflow(emulator, assembly)
        people.enter(made)
        subscribe(made)
        yield made


def subscribe(workflow: Workflow) -> None:
    emulator = workflow.emulator
    for name, service in (("serious", "sns"), ("all", "events")):
        queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
        allow = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = {"Version": "2012-10-17", "Statement": [{**allow, "Resource": queue}]}
        emulator.client("sqs").create_queue(QueueName=name, Attributes={"Policy": json.dumps(policy)})
    emulator.client("sns").subscribe(
        TopicArn=workflow["TopicArn"],
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:us-east-1:{ACCOUNT}:serious",
        Attributes={"FilterPolicy": json.dumps({"severity": list(SERIOUS), "customization": ["Nova-Demo/Demo"]})},
    )
    pattern = {"source": ["nova.customization"]}
    emulator.client("events").put_rule(Name="all", EventPattern=json.dumps(pattern))
    target = {"Id": "all", "Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:all"}
    emulator.client("events").put_targets(Rule="all", Targets=[target])


def told(workflow: Workflow, *expected: str) -> list[dict[str, Any]]:
    """Return what was told since, once that is at least what is expected; assert that it is nothing else."""
    found: dict[str, list[dict[str, Any]]] = {"serious": [], "all": []}
    wanted = {"serious": sum(_is_serious(name) for name in expected), "all": len(expected)}

    def arrived() -> bool | None:
        for queue, into in found.items():
            for message in messages(workflow.emulator, f"{workflow.emulator.endpoint}/{ACCOUNT}/{queue}"):
                body = json.loads(message["Body"])
                into.append(json.loads(body["Message"]) if queue == "serious" else body["detail"])
        return all(len(into) >= wanted[queue] for queue, into in found.items()) or None

    until(arrived, lambda: f"{expected}; there came {found}")
    workflow.emulator.settle()
    arrived()
    for each in (*found["serious"], *found["all"]):
        jsonschema.Draft202012Validator(SCHEMA).validate(each)
    assert [each["event"] for each in found["all"]] == list(expected)
    assert found["serious"] == [each for each in found["all"] if each["severity"] in SERIOUS]
    return found["all"]


def _is_serious(name: str) -> bool:
    """Return whether SERIOUS has the severity of an event, by the schema."""
    then = next(each["then"] for each in SCHEMA["allOf"] if each["if"]["properties"]["event"]["const"] == name)
    return then["properties"]["severity"]["enum"][0] in SERIOUS


def approved(workflow: Workflow, body: bytes | None = None) -> str:
    """Return the id of a run that somebody approved."""
    arn = workflow.upload(body)
    run = arn.rsplit(":", 1)[1]
    people.wait_until_asked(workflow, arn)
    with workflow.emulator.clock.busy():
        identity = people.presigned(workflow, "operator", run, "approve", "scores hold")
        assert people.answer(workflow, "operator", run, "approve", "scores hold", identity)["accepted"]
    assert workflow.finish(arn)["status"] == "SUCCEEDED"
    return run


def test_runs_that_deploy_and_a_rollback(workflow: Workflow) -> None:
    rows = [{"question": f"Told {n}?", "answer": str(n)} for n in range(40)]
    first = approved(workflow, jsonl([*rows, {"question": "", "answer": "faulty"}]))
    found = {each["event"]: each for each in told(workflow, "run_started", "rows_rejected", *APPROVED[1:])}
    assert {each["run"] for each in found.values()} == {first}
    assert found["rows_rejected"]["facts"]["rows"]["rejected"] == 1
    assert found["run_started"]["facts"]["trigger"]["kind"] == "dataset"
    assert found["approval_requested"]["facts"]["commands"][0].startswith(f"nova approve {first}")
    assert found["deployed"]["facts"]["deployment_arn"] == workflow.pointer()
    ledger = {event["hash"]: event["type"] for event in workflow.record(first)["ledger"]}
    assert {ledger.get(each["id"]) for each in found.values() if each["event"] != "run_succeeded"} == {
        *("run_started", "data_prepared", "gate_decided"),
        *("approval_requested", "approval_answered", "pointer_moved"),
    }
    second = approved(workflow)
    told(workflow, *APPROVED)
    answer = workflow.emulator.client("lambda").invoke(
        FunctionName=workflow["RollBackFunctionName"],
        Payload=json.dumps({"action": "ROLL_BACK", "reason": "it rambles", "claim": "alice"}),
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
    [back] = told(workflow, "rolled_back")
    assert (back["run"], back["facts"]["deployed_run"], back["facts"]["by"]) == (second, first, "alice")
    assert back["facts"]["deployment_arn"] == workflow.pointer()


def test_a_run_that_fails_and_one_that_is_skipped(workflow: Workflow) -> None:
    workflow.emulator.faults.fail_job("training", times=1)
    failed = workflow.run()
    _, last = told(workflow, "run_started", "run_failed")
    assert (last["run"], last["facts"]["error"]) == (failed["name"], "JobFailed")
    assert "loss is NaN" in last["sentence"]
    assert f"nova logs {failed['name']}" in last["next"]

    key = f"s3://{workflow['IncomingBucketName']}/uploads/twice.jsonl"
    workflow.put("IncomingBucketName", "uploads/twice.jsonl", jsonl([{"question": "a?", "answer": "b"}] * 20))
    for _ in range(2):
        workflow.finish(workflow.start(dataset=key, mode="prepare"))
    found = told(workflow, "run_started", "run_succeeded", "run_skipped")
    assert found[0]["run"] in found[2]["facts"]["cause"]


def test_what_cannot_be_told_at_first_is_told_again_with_the_same_id(workflow: Workflow) -> None:
    """The topic does not answer one call, retries included: the run does not notice, and the event comes twice."""
    workflow.emulator.faults.error("sns", "Publish", "InternalError", "not now", times=3)
    workflow.put("IncomingBucketName", "uploads/again.jsonl", jsonl([{"question": "c?", "answer": "d"}] * 20))
    key = f"s3://{workflow['IncomingBucketName']}/uploads/again.jsonl"
    assert workflow.finish(workflow.start(dataset=key, mode="prepare"))["status"] == "SUCCEEDED"
    first, again, _ = told(workflow, "run_started", "run_started", "run_succeeded")
    assert first == again
    assert workflow.emulator.faults.fired["error"] == 3


def test_an_alarm_of_the_workflow_is_told(workflow: Workflow) -> None:
    [alarm] = [arn for name, arn in workflow.stack.resources.items() if "Stalled" in name]
    arn = f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:{alarm}"
    workflow.emulator.state.put_service_event("aws.cloudwatch", ALARM["detail-type"], ALARM["detail"], [arn])
    [found] = told(workflow, "alarm")
    assert (found["run"], found["facts"]["alarm"]) == (None, "Stalled-1")
