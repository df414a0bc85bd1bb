"""A run that resumes another: what was completed is not done again, what lives is waited for, what differs is made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nova_constructs.emulator import Emulator
from tests.workflow.harness import ENTRY, SPEED, Workflow, synthesize, until
from tests.workflow.paths import lasting

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
CHANGES: dict[str, Any] = {
    "data": {**ENTRY["data"], "split": {"train": 0.8, "validation": 0.0, "test": 0.2}},
    "evaluation": [{"task": "mmlu"}, {"task": "gen_qa", "dataset": "HELD_OUT"}],
}


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflow]:
    with Emulator(speed=SPEED) as emulator:
        yield Workflow(emulator, _assembly(tmp_path_factory.mktemp("resume")))


def _assembly(folder: Path) -> Path:
    return synthesize(folder, **CHANGES)


@pytest.fixture(autouse=True)
def _no_faults(workflow: Workflow) -> Iterator[None]:
    yield
    workflow.emulator.faults.clear()


def failed_after_training(workflow: Workflow) -> dict[str, Any]:
    """Return the execution of a run whose evaluation failed."""
    workflow.emulator.faults.fail_job("evaluation-mmlu", times=1)
    ended = workflow.run()
    assert (ended["status"], ended["error"]) == ("FAILED", "EvaluationFailed"), ended.get("cause")
    workflow.record(ended["name"])
    workflow.nothing_left_running()
    return ended


def resumed(workflow: Workflow, ended: dict[str, Any], **changes: Any) -> str:
    """Start a run that resumes one, and return its execution."""
    asked = {name: value for name, value in json.loads(ended["input"]).items() if name != "trigger"}
    return workflow.start(**{**asked, **changes, "resume": ended["name"]})


def succeeded(workflow: Workflow, arn: str) -> dict[str, Any]:
    """Return the record of a run that succeeded."""
    ended = workflow.finish(arn)
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    assert json.loads(ended["output"])["status"] == "SUCCEEDED"
    record: dict[str, Any] = workflow.record(ended["name"])
    return record


def told(record: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [event["detail"] for event in record["ledger"] if event["type"] == kind]


def trained(workflow: Workflow) -> list[str]:
    """Return the names of all training jobs that were ever created for the training stage."""
    sagemaker = workflow.emulator.client("sagemaker")
    arns = {name: sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobArn"] for name in workflow.jobs()}
    tags = {name: sagemaker.list_tags(ResourceArn=arn)["Tags"] for name, arn in arns.items()}
    return [name for name, found in tags.items() if {"Key": "nova-constructs:stage", "Value": "training"} in found]


def prepared(workflow: Workflow, run_id: str) -> list[str]:
    found = workflow.s3.list_objects_v2(Bucket=workflow["PreparedBucketName"], Prefix=f"runs/{run_id}/")
    return [each["Key"].rsplit("/", 1)[1] for each in found.get("Contents", [])]


def test_after_a_failed_evaluation_nothing_is_prepared_or_trained_again(workflow: Workflow) -> None:
    first = failed_after_training(workflow)
    jobs, names = trained(workflow), set(workflow.jobs())
    record = succeeded(workflow, resumed(workflow, first))
    assert trained(workflow) == jobs
    [job] = [each for each in workflow.record(first["name"])["jobs"] if each["stage"] == "training"]
    taken = {each["stage"]: each for each in told(record, "stage_taken")}
    assert {"data", "training"} <= set(taken) <= {"data", "training", "evaluation-gen_qa"}
    assert {each["from_run"] for each in taken.values()} == {first["name"]}
    assert taken["training"]["job"] == job["name"]
    assert record["resume"] == first["name"]
    # The rows that are frozen anew are those of the run that split them; nothing else was prepared.
    assert "train.jsonl" in prepared(workflow, first["name"])
    assert "train.jsonl" not in prepared(workflow, record["run_id"])
    evaluated = {each["stage"] for each in told(record, "job_submitted")} - {"import", "deployment"}
    assert "evaluation-mmlu" in evaluated
    assert len(set(workflow.jobs()) - names) == len(evaluated)
    again = {each["stage"]: each["reasons"] for each in told(record, "stage_not_taken")}
    assert "EvaluationFailed" in again["evaluation-mmlu"][first["name"]]
    # What the resumed run has done itself serves a run after it as well, through the one between.
    forced = workflow.finish(resumed(workflow, {**first, "name": record["run_id"]}))
    assert forced["error"] == "InvalidRequest"
    assert "nothing to resume" in forced["cause"]


def test_another_recipe_is_trained_again_on_the_data_that_is_there_and_the_record_says_why(workflow: Workflow) -> None:
    first = failed_after_training(workflow)
    jobs = trained(workflow)
    record = succeeded(workflow, resumed(workflow, first, overrides={"max_steps": 30}))
    [name] = set(trained(workflow)) - set(jobs)
    request = workflow.emulator.client("sagemaker").describe_training_job(TrainingJobName=name)
    train = next(each for each in request["InputDataConfig"] if each["ChannelName"] == "train")
    assert f"/runs/{first['name']}/train.jsonl" in train["DataSource"]["S3DataSource"]["S3Uri"]
    assert [each["stage"] for each in told(record, "stage_taken")] == ["data"]
    reasons = {each["stage"]: each["reasons"][first["name"]] for each in told(record, "stage_not_taken")}
    assert reasons["training"] == "not known to be the same: recipe"


def test_a_job_that_still_lives_is_waited_for(workflow: Workflow) -> None:
    with lasting(workflow, training_seconds=3 * 3600):
        arn = workflow.upload()
        until(lambda: workflow.live_jobs() or None, "the training job")
    with workflow.emulator.clock.busy():  # no simulated time but that of calls: the job does not end meanwhile
        workflow.emulator.faults.error("sagemaker", "StopTrainingJob", "AccessDeniedException", "not now", times=None)
        workflow.states.stop_execution(executionArn=arn)
        first = workflow.finish(arn)
        workflow.record(first["name"])
        [job] = workflow.live_jobs()
        jobs = trained(workflow)
        again = resumed(workflow, first)
        until(lambda: _adopted(workflow, again), "the adoption")
    workflow.emulator.faults.clear()
    record = succeeded(workflow, again)
    assert workflow.jobs()[job] == "Completed"
    assert trained(workflow) == jobs
    assert [(each["name"], each["from_run"]) for each in told(record, "job_adopted")] == [(job, first["name"])]
    workflow.nothing_left_running()


def _adopted(workflow: Workflow, arn: str) -> bool | None:
    """Say whether the earlier run's row no longer leads to the job, and this run's does."""
    rows = workflow.emulator.client("dynamodb").scan(TableName=workflow["JobRegistryTableName"])["Items"]
    mine = [row for row in rows if row["execution_arn"]["S"] == arn and row["stage"]["S"] == "training"]
    origins = {row["origin"]["S"] for row in mine if "origin" in row}
    closed = [row for row in rows if row["run_id"]["S"] in origins and row["stage"]["S"] == "training"]
    return (bool(closed) and all(row["status"]["S"] == "CLOSED" for row in closed)) or None
