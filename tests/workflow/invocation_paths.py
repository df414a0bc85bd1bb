"""The paths that prove the permissions of batch inference through Amazon Bedrock."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.workflow import paths
from tests.workflow.harness import Workflow, jsonl, until

BATCH: dict[str, Any] = {
    "batch_inference": {
        "through": "bedrock",
        "model_id": "amazon.nova-2-lite-v1:0",
        "overrides": {"max_new_tokens": 64},
        "data": {"columns": {"query": "question", "response": "answer"}},
    }
}
_CREATE, _STOP = ("bedrock", "CreateModelInvocationJob"), ("bedrock", "StopModelInvocationJob")


def _start(workflow: Workflow, text: str = "") -> str:
    rows = [{"question": f"{number}?{text}", "answer": "an answer"} for number in range(100)]
    workflow.put("IncomingBucketName", "uploads/asked.jsonl", jsonl(rows))
    place = f"s3://{workflow['IncomingBucketName']}/uploads/asked.jsonl"
    return workflow.start(mode="batch_inference", model="base", dataset=place, force=True)


def _finish(workflow: Workflow, arn: str, status: str = "SUCCEEDED") -> None:
    ended = workflow.finish(arn)
    assert ended["status"] == status, ended.get("cause")
    paths.closed(workflow, arn)


def answered(workflow: Workflow) -> None:
    _finish(workflow, _start(workflow))


def interrupted(workflow: Workflow) -> None:
    """The records take several parts, and their upload cannot be completed.

    The prepared rows, of which JSON in ASCII makes three times the bytes, take one.
    """
    workflow.emulator.faults.error("s3", "CompleteMultipartUpload", "InvalidPart", "a part is missing", times=None)
    _finish(workflow, _start(workflow, "ü" * 20_000), "FAILED")


def name_taken(workflow: Workflow) -> None:
    """The answer to the create call is lost, and its repetition is told that the name is in use."""
    faults = workflow.emulator.faults
    faults.after(*_CREATE, lambda: faults.error(*_CREATE, "ConflictException", "in use", times=1))
    faults.lose_response(*_CREATE)
    _finish(workflow, _start(workflow))


def over_before_it_is_open(workflow: Workflow) -> None:
    """The job ends while its create call is answered: its event finds a row without an ARN."""
    workflow.emulator.faults.after(*_CREATE, lambda: paths.pause(workflow))
    with paths.lasting(workflow, evaluation_seconds=0.2):
        _finish(workflow, _start(workflow))


def aborted_before_the_create(workflow: Workflow) -> None:
    arn = _start(workflow)

    def abort() -> None:
        workflow.states.stop_execution(executionArn=arn)
        workflow.record(arn.rsplit(":", 1)[1])

    workflow.emulator.faults.before(*_CREATE, abort)
    paths.closed(workflow, arn)


def left_to_the_reconciler(workflow: Workflow) -> None:
    """The run is aborted before the create call, whose answers are lost: nobody but the reconciler finds the job."""
    workflow.emulator.faults.lose_response(*_CREATE, times=10)
    aborted_before_the_create(workflow)


def _aborted(workflow: Workflow, *, stopped: bool) -> str:
    """Abort a run whose job lives, and which at first can or cannot be stopped; return its execution."""
    faults = workflow.emulator.faults
    faults.never_finish(lambda *_: True)
    arn = _start(workflow)
    until(lambda: "OPEN" in json.dumps(paths.rows_of(workflow, arn)) or None, "the job")
    if not stopped:
        faults.error(*_STOP, "AccessDeniedException", "not now", times=1)
    workflow.states.stop_execution(executionArn=arn)
    workflow.record(arn.rsplit(":", 1)[1])
    return arn


def stopped(workflow: Workflow) -> None:
    paths.closed(workflow, _aborted(workflow, stopped=True))


def stopped_by_the_reconciler(workflow: Workflow) -> None:
    paths.closed(workflow, _aborted(workflow, stopped=False))


def stopped_by_an_early_event(workflow: Workflow) -> None:
    """An event about the end comes for a job that still runs and that nobody wants any more."""
    bedrock = workflow.emulator.client("bedrock")
    with workflow.emulator.clock.busy():  # no simulated time for the reconciler to be first
        arn = _aborted(workflow, stopped=False)
        [row] = paths.rows_of(workflow, arn)
        detail = {"batchJobName": row["job_name"]["S"], "batchJobArn": row["arn"]["S"], "status": "Stopped"}
        workflow.emulator.state.put_service_event("aws.bedrock", "Batch Inference Job State Change", detail)
        running = {"Submitted", "InProgress", "Scheduled"}
        job = {"jobIdentifier": row["arn"]["S"]}
        until(lambda: bedrock.get_model_invocation_job(**job)["status"] not in running or None, "the stop")
    paths.closed(workflow, arn)


INVOCATION_PATHS: dict[str, Callable[[Workflow], None]] = {
    "answered through Bedrock": answered,
    "answered through Bedrock, upload interrupted": interrupted,
    "name of the batch job taken": name_taken,
    "batch job over before it is open": over_before_it_is_open,
    "aborted before the create of the batch job": aborted_before_the_create,
    "aborted before the create of a batch job that nobody names": left_to_the_reconciler,
    "batch job stopped": stopped,
    "batch job stopped by the reconciler": stopped_by_the_reconciler,
    "batch job stopped by an early event": stopped_by_an_early_event,
}
