"""Each way a run can go wrong ends with a record of what happened and no job left running."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.harness import Workflow, dataset, synthesize, until

pytestmark = pytest.mark.slow

EVENT = "SageMaker Training Job State Change"


def failed(workflow: Workflow, error: str, arn: str | None = None) -> dict[str, Any]:
    """Assert that a run fails with an error name, leaves a record that says so, and nothing running."""
    ended = workflow.finish(arn or workflow.upload())
    assert (ended["status"], ended.get("error")) == ("FAILED", error), ended.get("cause")
    record = workflow.record(ended["name"])
    assert (record["status"], record["error"]) == ("FAILED", error)
    assert record["ledger"][-1]["type"] == "run_closed"
    workflow.nothing_left_running()
    return ended


def succeeded(workflow: Workflow, arn: str) -> dict[str, Any]:
    ended = workflow.finish(arn)
    assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))
    output = json.loads(ended["output"])
    assert output["status"] == "SUCCEEDED"
    workflow.nothing_left_running()
    return dict(output)


def jobs_of(workflow: Workflow, arn: str, stage: str) -> list[str]:
    """Return the training jobs that a run made for a stage, by their tags."""
    client, run = workflow.emulator.client("sagemaker"), arn.rsplit(":", 1)[1]
    found = []
    for job in client.list_training_jobs(MaxResults=100)["TrainingJobSummaries"]:
        tags = {tag["Key"]: tag["Value"] for tag in client.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"]}
        if (tags["nova-constructs:run"], tags["nova-constructs:stage"]) == (run, stage):
            found.append(job["TrainingJobName"])
    return found


def ends(workflow: Workflow, names: list[str]) -> list[str]:
    """Return how jobs ended: `Stopped` by a call, and not `MaxRuntimeExceeded` by their own limit."""
    client = workflow.emulator.client("sagemaker")
    return [client.describe_training_job(TrainingJobName=name)["SecondaryStatus"] for name in names]


def test_a_training_job_fails(workflow: Workflow) -> None:
    workflow.emulator.faults.fail_job("training", "AlgorithmError: loss is NaN")
    ended = failed(workflow, "JobFailed")
    assert "loss is NaN" in ended["cause"]


def test_a_training_job_is_stopped(workflow: Workflow) -> None:
    workflow.emulator.faults.stop_job("training")
    failed(workflow, "JobStopped")


def test_a_training_job_never_finishes(workflow: Workflow) -> None:
    workflow.emulator.faults.never_finish("training")
    failed(workflow, "JobTimedOut")


def test_the_output_of_an_evaluation_is_missing(workflow: Workflow) -> None:
    workflow.emulator.faults.omit_output("evaluation-mmlu")
    failed(workflow, "EvaluationFailed")


def test_a_branch_fails_while_its_sibling_runs(workflow: Workflow) -> None:
    workflow.emulator.faults.never_finish("evaluation-gen_qa")
    workflow.emulator.faults.fail_job("evaluation-mmlu")
    arn = workflow.upload()
    failed(workflow, "EvaluationFailed", arn)
    sibling = jobs_of(workflow, arn, "evaluation-gen_qa")
    assert ends(workflow, sibling) == ["Stopped"]


def test_an_import_fails(workflow: Workflow) -> None:
    workflow.emulator.faults.fail_import("import")
    failed(workflow, "ModelImportFailed")


def test_a_deployment_fails(workflow: Workflow) -> None:
    before = workflow.pointer()
    workflow.emulator.faults.fail_deployment("deployment")
    failed(workflow, "DeploymentFailed")
    assert workflow.pointer() == before


def test_a_dataset_of_faulty_rows_is_rejected_before_training(workflow: Workflow) -> None:
    before = set(workflow.jobs())
    ended = failed(workflow, "DatasetRejected", workflow.upload(b'{"question": "", "answer": "x"}\n' * 50))
    assert "quarantine" in ended["cause"] or "manifest" in ended["cause"]
    assert set(workflow.jobs()) == before


def test_an_unknown_key_of_the_input_is_refused(workflow: Workflow) -> None:
    ended = failed(workflow, "InvalidRequest", workflow.start(datset="s3://x/y.jsonl"))
    assert "datset" in ended["cause"]
    assert "dataset" in ended["cause"]


def test_the_gate_says_no(workflow: Workflow, tmp_path: Path) -> None:
    before = workflow.pointer()
    assembly = synthesize(tmp_path, gate={"criteria": [{"task": "mmlu", "floor": 0.999}]})
    workflow.emulator.deploy(assembly)
    try:
        ended = workflow.run()
        assert ended["status"] == "SUCCEEDED"
        assert json.loads(ended["output"])["status"] == "REJECTED"
        assert workflow.record(ended["name"])["status"] == "REJECTED"
        assert "ImportModel" not in workflow.path(ended["executionArn"])
        assert workflow.pointer() == before
        workflow.nothing_left_running()
    finally:
        workflow.emulator.deploy(workflow.assembly)


def aborted(workflow: Workflow, arn: str) -> None:
    ended = workflow.finish(arn)
    assert ended["status"] == "ABORTED"
    assert workflow.record(ended["name"])["status"] == "ABORTED"
    workflow.nothing_left_running()


def test_the_execution_is_aborted_while_training(workflow: Workflow) -> None:
    workflow.emulator.faults.never_finish("training")
    arn = workflow.upload()
    until(lambda: jobs_of(workflow, arn, "training") or None, "the training job")
    workflow.states.stop_execution(executionArn=arn, error="Operator", cause="wrong data")
    aborted(workflow, arn)
    assert ends(workflow, jobs_of(workflow, arn, "training")) == ["Stopped"]


def test_the_abort_lands_between_the_intent_and_the_create(workflow: Workflow) -> None:
    workflow.emulator.faults.never_finish("training")
    stopped = threading.Event()

    def abort() -> None:
        arn = next(
            e["executionArn"]
            for e in workflow.states.list_executions(stateMachineArn=workflow["StateMachineArn"])["executions"]
            if e["status"] == "RUNNING"
        )
        workflow.states.stop_execution(executionArn=arn)
        until(lambda: workflow._object("AuditBucketName", f"runs/{arn.rsplit(':', 1)[1]}/record.json"), "the record")
        stopped.set()

    workflow.emulator.faults.before("sagemaker", "CreateTrainingJob", abort)
    arn = workflow.upload()
    aborted(workflow, arn)
    assert stopped.is_set()
    names = until(lambda: jobs_of(workflow, arn, "training") or None, "the job that was created too late")
    until(lambda: not workflow.live_jobs() or None, "its end")
    assert ends(workflow, names) == ["Stopped"]


def test_a_lost_create_response_makes_one_job(workflow: Workflow) -> None:
    workflow.emulator.faults.lose_response("sagemaker", "CreateTrainingJob")
    arn = workflow.upload()
    succeeded(workflow, arn)
    assert workflow.emulator.faults.fired["lose_response"] == 1
    assert len(jobs_of(workflow, arn, "training")) == 1


def test_a_lost_event_is_found_by_the_reconciler(workflow: Workflow) -> None:
    workflow.emulator.faults.lose_event(EVENT, times=None)
    succeeded(workflow, workflow.upload())
    assert workflow.emulator.faults.fired["lose_event"] > 0


def test_an_event_that_comes_twice_changes_nothing(workflow: Workflow) -> None:
    workflow.emulator.faults.duplicate_event(EVENT, times=None)
    arn = workflow.upload()
    succeeded(workflow, arn)
    assert workflow.emulator.faults.fired["duplicate_event"] > 0
    assert len(jobs_of(workflow, arn, "training")) == 1


@pytest.fixture
def jobs_end_at_once(workflow: Workflow) -> Iterator[Callable[[], None]]:
    """Let jobs take a second; return what waits for their end (the clock is slow while a call is open)."""
    before = workflow.emulator.state.simulation
    workflow.emulator.state.simulation = replace(before, training_seconds=1.0)
    yield lambda: until(lambda: (workflow.jobs() and not workflow.live_jobs()) or None, "the end of the job")
    workflow.emulator.state.simulation = before


def test_an_event_that_comes_before_the_row_is_open(workflow: Workflow, jobs_end_at_once: Callable[[], None]) -> None:
    """The job ends, and its event is delivered, while its create call is still being answered."""
    ended_first = threading.Event()

    def wait_for_the_end() -> None:
        jobs_end_at_once()
        ended_first.set()

    workflow.emulator.faults.after("sagemaker", "CreateTrainingJob", wait_for_the_end)
    arn = workflow.upload()
    succeeded(workflow, arn)
    assert ended_first.is_set()
    assert len(jobs_of(workflow, arn, "training")) == 1


def test_a_failed_job_is_retried_under_a_new_name(workflow: Workflow, jobs_end_at_once: Callable[[], None]) -> None:
    """The create response is lost, the job fails meanwhile, and the retry does not adopt the failure."""
    workflow.emulator.faults.fail_job("training", times=1)
    workflow.emulator.faults.after("sagemaker", "CreateTrainingJob", jobs_end_at_once)
    workflow.emulator.faults.lose_response("sagemaker", "CreateTrainingJob")
    arn = workflow.upload()
    succeeded(workflow, arn)
    names = jobs_of(workflow, arn, "training")
    assert sorted(workflow.jobs()[name] for name in names) == ["Completed", "Failed"]


def test_a_deploy_during_a_run_changes_nothing_for_it(workflow: Workflow, tmp_path: Path) -> None:
    workflow.emulator.faults.never_finish("training", times=1)
    arn = workflow.upload()
    until(lambda: jobs_of(workflow, arn, "training") or None, "the training job")
    changed = synthesize(tmp_path, gate={"criteria": [{"task": "mmlu", "floor": 0.999}]}, reconcile_interval_minutes=4)
    workflow.emulator.deploy(changed)
    try:
        workflow.emulator.client("sagemaker").stop_training_job(TrainingJobName=jobs_of(workflow, arn, "training")[0])
        failed(workflow, "JobStopped", arn)
        second = workflow.upload()
        assert json.loads(workflow.finish(second)["output"])["status"] == "REJECTED"
    finally:
        workflow.emulator.deploy(workflow.assembly)


def test_two_runs_at_once_run_one_and_skip_the_other(workflow: Workflow) -> None:
    place = f"s3://{workflow['IncomingBucketName']}/uploads/pair"
    for number in range(2):
        workflow.put("IncomingBucketName", f"uploads/pair{number}.jsonl", dataset(salt=f"pair {number}"))
    arns = [workflow.start(dataset=f"{place}{number}.jsonl") for number in range(2)]
    statuses = sorted(json.loads(workflow.finish(arn)["output"])["status"] for arn in arns)
    assert statuses == ["SKIPPED", "SUCCEEDED"]
    workflow.nothing_left_running()
