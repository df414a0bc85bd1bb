"""Batch inference through Amazon Bedrock on the emulator: the base model answers rows of one's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nova_constructs.emulator import Emulator
from nova_constructs.iam_evidence import Evidence, account, granted_in
from tests.workflow.harness import SPEED, Workflow, jsonl, synthesize, until
from tests.workflow.test_modes import finish, jobs_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
MODEL = "amazon.nova-2-lite-v1:0"
TRICKY = 'It\'s "quoted"\n\\n is not a line; é 𝄞 \u2028'
ROWS = [{"question": f"{n} {TRICKY}", "answer": f"{n}", "system": "Be brief", "metadata": f"m{n}"} for n in range(120)]


NOT_ON_THIS_PATH = {
    "BatchInference/Read#WriteResults:s3:AbortMultipartUpload": "gives up an upload of more than 8 MiB",
    "BatchInference/Submit#WriteRecords:s3:AbortMultipartUpload": "gives up an upload of more than 8 MiB",
    "BatchInference/Submit#ListJobOutput:s3:ListBucket": "the run resumes another",
    "BatchInference/Submit#AnswerTaskTokens:states:SendTaskFailure": "the job has ended before it is first looked at",
    "BatchInference/Submit#AnswerTaskTokens:states:SendTaskSuccess": "the job has ended before it is first looked at",
    "BatchInference/Submit#FindInvocationJobs:bedrock:ListModelInvocationJobs": "the name is taken",
    "BatchInference/Submit#ReadTags:bedrock:ListTagsForResource": "the name is taken",
    "BatchInference/Submit#StopInvocationJobs:bedrock:StopModelInvocationJob": "the run ends while it is submitted",
    "Closing/Close#FindInvocationJobs:bedrock:ListModelInvocationJobs": "a row without the ARN of its job",
    "Waiting/Complete#FindInvocationJobs:bedrock:ListModelInvocationJobs": "a row without the ARN of its job",
    "Waiting/Reconcile#FindInvocationJobs:bedrock:ListModelInvocationJobs": "a row without the ARN of its job",
    "Waiting/Complete#StopInvocationJobs:bedrock:StopModelInvocationJob": "an early event of a run that is over",
    "Waiting/Reconcile#StopInvocationJobs:bedrock:StopModelInvocationJob": "the run was closed before its job stopped",
}
"""Permissions that runs here need not come by, and what they are for. No run here is shown to use them."""


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = {"columns": {"query": "question", "response": "answer"}}
    inference = {"through": "bedrock", "model_id": MODEL, "overrides": {"max_new_tokens": 64}, "data": data}
    return synthesize(tmp_path_factory.mktemp("bedrock"), batch_inference=inference)


@pytest.fixture(scope="module")
def workflow(assembly: Path) -> Iterator[Workflow]:
    with Emulator(speed=SPEED) as emulator:
        yield Workflow(emulator, assembly)


@pytest.fixture(autouse=True)
def _no_faults(workflow: Workflow) -> None:
    workflow.emulator.faults.clear()


def put(workflow: Workflow, name: str, rows: list[dict[str, Any]] = ROWS) -> str:
    workflow.put("IncomingBucketName", f"uploads/{name}.jsonl", jsonl(rows))
    return f"s3://{workflow['IncomingBucketName']}/uploads/{name}.jsonl"


def asked(workflow: Workflow, name: str, rows: list[dict[str, Any]] = ROWS, **more: Any) -> dict[str, Any]:
    return {"mode": "batch_inference", "model": "base", "dataset": put(workflow, name, rows), "force": True, **more}


def read(workflow: Workflow, uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bytes(workflow.s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def statuses(workflow: Workflow) -> list[str]:
    found = workflow.emulator.client("bedrock").list_model_invocation_jobs()["invocationJobSummaries"]
    return [str(each["status"]) for each in found]


def test_120_rows_come_back_in_their_order(workflow: Workflow) -> None:
    found = finish(workflow, **asked(workflow, "all"))
    assert found["path"][-4:] == ["AnswerRows", "ReadAnswers", "CloseRun", "RunSucceeded"]
    results = [json.loads(line) for line in read(workflow, found["inference"]["results_uri"]).split(b"\n") if line]
    assert [(r["query"], r["gold_response"], r["system"], r["metadata"]) for r in results] == [
        (row["question"], row["answer"], row["system"], row["metadata"]) for row in ROWS
    ]
    assert all(r["inference_response"].endswith(f"You asked: {r['query']}") for r in results)
    assert found["inference"]["rows"] == 120
    assert jobs_of(workflow, found["run"]) == ["batch-inference"]
    assert [job["kind"] for job in workflow.record(found["run"])["jobs"]] == ["ModelInvocationJob"]
    assert workflow.jobs() == {}


def test_a_run_that_is_stopped_stops_its_job(workflow: Workflow) -> None:
    arn = workflow.start(**asked(workflow, "stopped"))
    until(lambda: "Submitted" in statuses(workflow) or None, "the job")
    workflow.states.stop_execution(executionArn=arn)
    until(lambda: "Stopped" in statuses(workflow) or None, lambda: f"the end of {statuses(workflow)}")
    workflow.nothing_left_running()


def test_a_create_call_whose_answer_is_lost_makes_one_job(workflow: Workflow) -> None:
    before = len(statuses(workflow))
    workflow.emulator.faults.lose_response("bedrock", "CreateModelInvocationJob")
    assert finish(workflow, **asked(workflow, "lost"))["status"] == "SUCCEEDED"
    assert len(statuses(workflow)) == before + 1


def test_a_dry_run_writes_the_request(workflow: Workflow) -> None:
    found = finish(workflow, **asked(workflow, "dry", dry_run=True))
    report = json.loads(read(workflow, found["report_uri"]))
    [request] = report["requests"]
    assert (request["stage"], request["operation"]) == ("batch-inference", "CreateModelInvocationJob")
    body = json.loads(read(workflow, request["request_uri"]))
    assert (body["modelId"], body["timeoutDurationInHours"]) == (MODEL, 24)
    assert ":role/" in body["roleArn"]
    assert report["cost"]["jobs"] == []
    assert any("bills it by token" in each for each in report["warnings"])


def test_a_model_that_was_trained_is_refused_in_the_plan(workflow: Workflow) -> None:
    place = put(workflow, "trained")
    path = "s3://customer-escrow-123456789012-smtj-abcdef/job-1/step_4"
    ended = workflow.finish(workflow.start(mode="batch_inference", dataset=place, model_path=path))
    assert (ended["status"], ended["error"]) == ("FAILED", "UnsupportedCombination")
    assert "use model: base, or through: training_job" in ended["cause"]


def test_99_rows_are_too_few(workflow: Workflow) -> None:
    before = len(statuses(workflow))
    ended = workflow.finish(workflow.start(**asked(workflow, "few", ROWS[:99])))
    assert (ended["status"], ended["error"]) == ("FAILED", "DatasetRejected")
    assert "takes 100 to 50000 rows, and there are 99" in ended["cause"]
    assert len(statuses(workflow)) == before


def test_a_record_without_an_answer_fails_the_run_and_is_named(workflow: Workflow) -> None:
    workflow.emulator.faults.fail_record(lambda _name, _tags: True)
    ended = workflow.finish(workflow.start(**asked(workflow, "partly")))
    assert (ended["status"], ended["error"]) == ("FAILED", "EvaluationFailed")
    assert "row 1: The record was refused." in ended["cause"]


def test_a_job_that_expires_has_timed_out(workflow: Workflow) -> None:
    workflow.emulator.faults.never_finish(lambda _name, _tags: True)
    ended = workflow.finish(workflow.start(**asked(workflow, "late")))
    assert (ended["status"], ended["error"]) == ("FAILED", "JobTimedOut")
    workflow.nothing_left_running()


def test_no_permission_lacked_and_none_was_idle(workflow: Workflow, assembly: Path) -> None:
    """Over all the tests before: what is left over is named, with the reason why no test here comes by."""
    assert [f"{c.role_name} {c.action} {c.resource}" for c in workflow.emulator.calls.denied()] == []
    granted = [
        each
        for each in granted_in(assembly, "Nova-Demo")
        if each.role.startswith("BatchInference/") or "Invocation" in each.sid
    ]
    split = account(
        granted,
        used=workflow.emulator.calls.used(),
        physical_ids=workflow.stack.resources,
        evidence=Evidence(required_by_aws=Evidence.load().required_by_aws),
    )
    assert [str(each) for each in split.unused if str(each) not in NOT_ON_THIS_PATH] == []
