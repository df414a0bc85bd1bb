"""The paths through the workflow that prove its permissions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from tests.workflow.harness import ENTRY, Workflow, until

EVENT = "SageMaker Training Job State Change"
PLATFORM = ENTRY["platform"]


def set_training_seconds(workflow: Workflow, seconds: float) -> None:
    """Let training take this many simulated seconds."""
    state = workflow.emulator.state
    state.simulation = replace(state.simulation, training_seconds=seconds)


def success(workflow: Workflow) -> None:
    ended = workflow.run()
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    assert json.loads(ended["output"])["status"] == "SUCCEEDED"


def started_by_hand(workflow: Workflow) -> None:
    """A run whose input names no version, so that the plan has to find it."""
    workflow.put("IncomingBucketName", "uploads/by-hand.jsonl", dataset_of("by hand"))
    arn = workflow.start(dataset=f"s3://{workflow['IncomingBucketName']}/uploads/by-hand.jsonl")
    assert workflow.finish(arn)["status"] == "SUCCEEDED"


def dataset_of(salt: str) -> bytes:
    rows = [{"question": f"{salt}: what is {n} plus one?", "answer": str(n + 1)} for n in range(20)]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def large_dataset(workflow: Workflow) -> None:
    """Output of several parts, so that multipart uploads happen."""
    text = "word " * 400
    rows = (json.dumps({"question": f"Number {n}? {text}", "answer": text}) for n in range(6000))
    ended = workflow.run("\n".join(rows).encode())
    assert ended["status"] == "SUCCEEDED", ended.get("cause")


def failed(workflow: Workflow) -> None:
    ended = workflow.run()
    assert ended["status"] == "FAILED", ended.get("output")
    workflow.record(ended["name"])
    workflow.nothing_left_running()


def training_fails(workflow: Workflow) -> None:
    workflow.emulator.faults.fail_job("training")
    failed(workflow)


def deadline(workflow: Workflow) -> None:
    workflow.emulator.faults.never_finish("training")
    failed(workflow)


def events_lost(workflow: Workflow) -> None:
    workflow.emulator.faults.lose_event(EVENT, times=None)
    success(workflow)


def import_outlasts_its_deadline(workflow: Workflow) -> None:
    _slow_bedrock(workflow, import_seconds=8 * 3600.0)


def deployment_outlasts_its_deadline(workflow: Workflow) -> None:
    _slow_bedrock(workflow, deployment_seconds=8 * 3600.0)


def _slow_bedrock(workflow: Workflow, **seconds: float) -> None:
    state = workflow.emulator.state
    before = state.simulation
    state.simulation = replace(before, **seconds)
    try:
        failed(workflow)
    finally:
        state.simulation = before


def abort_in(state: str, kind: str) -> Callable[[Workflow], None]:
    """Return the path of an execution aborted while a state waits."""

    def take(workflow: Workflow) -> None:
        arn = workflow.upload()
        workflow.reach(arn, state)
        until(lambda: kind in json.dumps(_rows(workflow, arn)) or None, f"the {kind} of {state}")
        workflow.states.stop_execution(executionArn=arn)
        workflow.record(arn.rsplit(":", 1)[1])
        workflow.nothing_left_running()

    return take


def _rows(workflow: Workflow, arn: str) -> list[dict[str, object]]:
    found = workflow.emulator.client("dynamodb").scan(TableName=workflow["JobRegistryTableName"])["Items"]
    return [row for row in found if row["execution_arn"]["S"] == arn]


def response_lost(service: str, operation: str) -> Callable[[Workflow], None]:
    """Return the path of a create call whose response is lost."""

    def take(workflow: Workflow) -> None:
        workflow.emulator.faults.lose_response(service, operation)
        success(workflow)

    return take


PATHS: dict[str, Callable[[Workflow], None]] = {
    "success": success,
    "started by hand": started_by_hand,
    "large dataset": large_dataset,
    "training fails": training_fails,
    "training never ends": deadline,
    "events lost": events_lost,
    "import outlasts its deadline": import_outlasts_its_deadline,
    "deployment outlasts its deadline": deployment_outlasts_its_deadline,
    "aborted while training": abort_in("Train", "TrainingJob"),
    "aborted while importing": abort_in("ImportModel", "CustomModel"),
    "aborted while deploying": abort_in("DeployModel", "CustomModelDeployment"),
    "create response of training lost": response_lost("sagemaker", "CreateTrainingJob"),
    "create response of import lost": response_lost("bedrock", "CreateCustomModel"),
    "create response of deployment lost": response_lost("bedrock", "CreateCustomModelDeployment"),
}
