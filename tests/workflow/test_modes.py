"""The modes of a run, and runs that continue from others, on the emulator."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.workflow.harness import Workflow
from tests.workflow.paths import dataset_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def finish(workflow: Workflow, **asked: Any) -> dict[str, Any]:
    """Start a run, wait for its end, and return its output with the run's id and path."""
    ended = workflow.finish(workflow.start(**asked))
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    return {**json.loads(ended["output"]), "run": ended["name"], "path": workflow.path(ended["executionArn"])}


def upload(workflow: Workflow, name: str) -> str:
    workflow.put("IncomingBucketName", f"uploads/{name}.jsonl", dataset_of(name))
    return f"s3://{workflow['IncomingBucketName']}/uploads/{name}.jsonl"


def hyperparameters(workflow: Workflow, run: str, stage: str) -> dict[str, str]:
    """Return the hyperparameters of the job of a run's stage."""
    client = workflow.emulator.client("sagemaker")
    [job] = [each for each in workflow.record(run)["jobs"] if each["stage"] == stage]
    return dict(client.describe_training_job(TrainingJobName=job["name"])["HyperParameters"])


def jobs_of(workflow: Workflow, run: str) -> list[str]:
    return sorted(job["stage"] for job in workflow.record(run)["jobs"])


def calls(workflow: Workflow) -> set[str]:
    return {call.action for call in workflow.emulator.calls}


@pytest.fixture(scope="module")
def first(workflow: Workflow) -> dict[str, Any]:
    """Return a run in mode full: a checkpoint, and a production."""
    found = finish(workflow, dataset=upload(workflow, "first"))
    assert found["status"] == "SUCCEEDED"
    assert found["checkpoint_uri"].startswith("s3://customer-escrow-")
    return found


def test_a_second_run_trains_on_from_the_checkpoint_of_the_first(workflow: Workflow, first: dict[str, Any]) -> None:
    second = finish(workflow, dataset=upload(workflow, "second"), base_run=first["run"])
    assert second["status"] == "SUCCEEDED"
    assert second["start"] == {"model_path": first["checkpoint_uri"], "base_run": first["run"]}
    training = hyperparameters(workflow, second["run"], "training")
    assert training["base_model_location"] == first["checkpoint_uri"]
    assert "base_model" not in training
    assert second["checkpoint_uri"] != first["checkpoint_uri"]
    measured = hyperparameters(workflow, second["run"], "evaluation-mmlu")
    assert measured["base_model_location"] == second["checkpoint_uri"]
    assert len(second["path"]) <= 40
    assert "base_model" in hyperparameters(workflow, first["run"], "training")
    [started] = [event for event in workflow.record(second["run"])["ledger"] if event["type"] == "run_started"]
    assert started["detail"]["plan"]["start"] == second["start"]


def test_a_run_trains_on_from_a_checkpoint_by_its_address(workflow: Workflow, first: dict[str, Any]) -> None:
    found = finish(workflow, dataset=upload(workflow, "by address"), model_path=first["checkpoint_uri"], mode="train")
    training = hyperparameters(workflow, found["run"], "training")
    assert training["base_model_location"] == first["checkpoint_uri"]
    [warning] = found["warnings"]
    assert "give base_run instead to have that checked" in warning


def test_preparation_ends_with_the_data(workflow: Workflow) -> None:
    workflow.emulator.calls.clear()
    found = finish(workflow, dataset=upload(workflow, "prepared"), mode="prepare")
    assert (found["status"], found["rows"]["out"]) == ("SUCCEEDED", 20)
    assert found["path"][-3:] == ["DataDone", "CloseRun", "RunSucceeded"]
    assert workflow.record(found["run"])["jobs"] == []
    assert "sagemaker:CreateTrainingJob" not in calls(workflow)
    key = f"runs/{found['run']}/train.jsonl"
    body = workflow.s3.get_object(Bucket=workflow["PreparedBucketName"], Key=key)["Body"].read()
    assert len(body.splitlines()) == 20


def test_training_alone_ends_with_the_checkpoint(workflow: Workflow, first: dict[str, Any]) -> None:
    production = workflow.pointer()
    found = finish(workflow, dataset=upload(workflow, "trained"), mode="train")
    assert found["path"][-4:] == ["FindCheckpoint", "TrainingDone", "CloseRun", "RunSucceeded"]
    assert jobs_of(workflow, found["run"]) == ["training"]
    assert found["checkpoint_uri"] != first["checkpoint_uri"]
    assert workflow.pointer() == production
    later = finish(workflow, mode="evaluate", base_run=found["run"])
    assert later["evaluated"] == {"kind": "run", "model_path": found["checkpoint_uri"], "run_id": found["run"]}


@pytest.mark.parametrize("kind", ["checkpoint", "run", "production", "base"])
def test_any_model_is_evaluated_and_nothing_deployed(workflow: Workflow, first: dict[str, Any], kind: str) -> None:
    production = workflow.pointer()
    # Another test may have brought a later run into production.
    [moved] = [
        workflow.emulator.client("dynamodb").get_item(
            TableName=workflow["RunControlTableName"], Key={"item": {"S": "pointer"}}
        )["Item"]["run_id"]["S"]
    ]
    in_production = workflow.record(moved)["checkpoint_uri"]
    asked, model, run = {
        "checkpoint": ({"model_path": first["checkpoint_uri"]}, first["checkpoint_uri"], None),
        "run": ({"base_run": first["run"]}, first["checkpoint_uri"], first["run"]),
        "production": ({"model": "production"}, in_production, moved),
        "base": ({"model": "base"}, "nova-lite-2/prod", None),
    }[kind]
    workflow.emulator.calls.clear()
    # By force: a run and its checkpoint are the same model.
    found = finish(workflow, mode="evaluate", force=True, **asked)
    assert found["evaluated"] == {"kind": kind, "model_path": model, "run_id": run}
    # The base model may not reach the gate's floors; whether it does is the gate's to say, and the run says so.
    assert found["status"] == {"PASSED": "SUCCEEDED", "FAILED": "REJECTED"}[found["gate"]["verdict"]]
    assert {score["task"] for score in found["scores"]} == {"mmlu", "gen_qa"}
    assert found["path"][:2] == ["PlanRun", "PlanDecision"]
    assert not {"PrepareData", "Train", "ImportModel", "DeployModel"} & set(found["path"])
    assert all(stage.startswith("evaluation-") for stage in jobs_of(workflow, found["run"]))
    told = hyperparameters(workflow, found["run"], "evaluation-mmlu")
    place = "base_model" if kind == "base" else "base_model_location"
    assert (told[place], {"base_model", "base_model_location"} & set(told)) == (model, {place})
    assert workflow.pointer() == production
    assert not {"bedrock:CreateCustomModel", "bedrock:CreateCustomModelDeployment"} & calls(workflow)


def test_what_the_hub_gave_lies_beside_the_run(workflow: Workflow, first: dict[str, Any]) -> None:
    found = workflow.s3.list_objects_v2(Bucket=workflow["ArtifactsBucketName"], Prefix=f"runs/{first['run']}/hub/")
    names = {each["Key"].rpartition("/")[2] for each in found["Contents"]}
    assert {"document.json", "content.json"} < names
    assert len([name for name in names if name.endswith(".yaml")]) >= 2


def test_the_same_evaluation_is_not_bought_twice_unless_it_is_forced(workflow: Workflow, first: dict[str, Any]) -> None:
    asked = {"mode": "evaluate", "base_run": first["run"], "reason": "once"}
    finish(workflow, **asked)
    assert finish(workflow, **asked)["status"] == "SKIPPED"
    assert finish(workflow, **asked, force=True)["status"] in {"SUCCEEDED", "REJECTED"}
