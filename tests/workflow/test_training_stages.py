"""Supervised fine-tuning, then reinforcement from its checkpoint: two jobs of one run, each on data of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from lambda_handlers.training.continuing import CHECKPOINT_TO_COME
from nova_constructs import (
    DataFormat,
    EvaluationTask,
    NovaCustomization,
    TrainingJobs,
    TrainingStage,
)
from nova_constructs.app import FEATURE_FLAGS, props
from nova_constructs.emulator import Emulator
from tests.workflow.harness import ENTRY, SPEED, Workflow, dataset, jsonl
from tests.workflow.test_reinforcement import SCORE, asked

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
HOURS = {"max_runtime": Duration.hours(6), "max_pending": Duration.hours(1)}
RL = "uploads/rl.jsonl"


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflow]:
    with Emulator(speed=SPEED) as emulator:
        yield Workflow(emulator, synthesized(tmp_path_factory.mktemp("stages")))


@pytest.fixture(autouse=True)
def _new_calls(workflow: Workflow) -> None:
    workflow.emulator.calls.clear()
    workflow.put("IncomingBucketName", RL, jsonl([asked(number) for number in range(120)]))


def synthesized(folder: Path) -> Path:
    app = App(outdir=str(folder / "out"), context=FEATURE_FLAGS, analytics_reporting=False)
    stack = Stack(app, "Nova-Demo")
    role = iam.Role(stack, "ScoreRole", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    logging = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    role.add_to_policy(iam.PolicyStatement(actions=logging, resources=["*"]))
    code, runtime = lambda_.Code.from_inline(SCORE), lambda_.Runtime.PYTHON_3_13
    score = lambda_.Function(stack, "Score", code=code, handler="index.handler", runtime=runtime, role=role)
    rl = TrainingStage(
        name="rl",
        method="RFT_LORA",
        dataset=RL,
        reward_function=score,
        overrides={"max_steps": 40},
        platform=TrainingJobs(instance_type="ml.p5.48xlarge", instance_count=2, **HOURS),
    )
    NovaCustomization(
        stack,
        "Demo",
        model="NOVA_LITE_2",
        method="SFT_LORA",
        platform=TrainingJobs(instance_type="ml.p5.48xlarge", instance_count=4, **HOURS),
        data=DataFormat(columns={"question": "question", "answer": "answer"}),
        further_training=[rl],
        evaluation=[EvaluationTask(task="mmlu")],
        gate=props(ENTRY)["gate"],
    )
    app.synth()
    return folder / "out"


def recipe_of(workflow: Workflow, run_id: str, folder: str) -> dict[str, Any]:
    place = {"Bucket": workflow["ArtifactsBucketName"], "Key": f"runs/{run_id}/{folder}/recipe/recipe.yaml"}
    return yaml.safe_load(workflow.s3.get_object(**place)["Body"].read())  # type: ignore[no-any-return]


def jobs_of(workflow: Workflow, ended: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the training jobs of a run, as they were asked for, by stage."""
    sagemaker = workflow.emulator.client("sagemaker")
    found = {job["stage"]: job["name"] for job in workflow.record(ended["name"])["jobs"]}
    return {
        stage: sagemaker.describe_training_job(TrainingJobName=name)
        for stage, name in found.items()
        if stage.startswith("training")
    }


def created(workflow: Workflow) -> int:
    return sum(call.action == "sagemaker:CreateTrainingJob" for call in workflow.emulator.calls)


def test_the_second_stage_goes_on_from_the_checkpoint_of_the_first(workflow: Workflow) -> None:
    ended = workflow.run(dataset(40, salt="two stages"))
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    told, record = json.loads(ended["output"]), workflow.record(ended["name"])
    first, second = (each["detail"] for each in record["ledger"] if each["type"] == "checkpoint_resolved")
    assert ("stage" in first, second["stage"]) == (False, "rl")
    jobs = jobs_of(workflow, ended)
    asked_first, asked_second = jobs["training"]["HyperParameters"], jobs["training-rl"]["HyperParameters"]
    assert (asked_first["base_model"], asked_first.get("base_model_location")) == ("nova-lite-2/prod", None)
    assert (asked_second["base_model_location"], asked_second.get("base_model")) == (first["uri"], None)
    assert second["uri"] != first["uri"]
    assert jobs["training-rl"]["ResourceConfig"]["InstanceCount"] == 2
    data = [channel["DataSource"]["S3DataSource"] for channel in jobs["training-rl"]["InputDataConfig"]]
    assert data[0]["S3Uri"].endswith(f"/runs/{ended['name']}/rl/train.jsonl")
    assert data[1]["S3Uri"].endswith(f"/runs/{ended['name']}/training-rl/recipe/")
    # What is evaluated and deployed is the last one's.
    evaluated = recipe_of(workflow, ended["name"], "evaluation-mmlu")["run"]["model_name_or_path"]
    assert evaluated == second["uri"] == told["checkpoint_uri"]
    assert told["deployment_arn"] == workflow.pointer()
    assert [str(call) for call in workflow.emulator.calls.denied()] == []


def test_recipes_and_rows_of_both_stages_are_kept(workflow: Workflow) -> None:
    ended = workflow.run(dataset(40, salt="kept"))
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    record = workflow.record(ended["name"])
    [started] = [each["detail"]["plan"] for each in record["ledger"] if each["type"] == "run_started"]
    first, planned = started["training"], started["further_training"]["rl"]
    resolved = [each["detail"]["uri"] for each in record["ledger"] if each["type"] == "checkpoint_resolved"]
    waiting, trained = (recipe_of(workflow, ended["name"], each) for each in ("training-rl/planned", "training-rl"))
    assert waiting["run"]["model_name_or_path"] == CHECKPOINT_TO_COME
    assert trained == {**waiting, "run": {**waiting["run"], "model_name_or_path": resolved[0]}}
    assert trained["run"]["reward_lambda_arn"].startswith("arn:aws:lambda:")
    assert planned["recipe_sha256"] != first["recipe_sha256"]
    assert planned["dataset"]["uri"] == f"s3://{workflow['IncomingBucketName']}/{RL}"
    counts = {
        each["detail"].get("stage"): each["detail"]["rows"]
        for each in record["ledger"]
        if each["type"] == "data_prepared"
    }
    none = {"rejected": 0, "duplicate": 0, "leaked": 0, "over_limit": 0}
    assert counts == {None: {"in": 40, "out": 40, **none}, "rl": {"in": 120, "out": 120, **none}}
    assert (record["rows"], record["further_rows"]) == (counts[None], {"rl": counts["rl"]})


def test_faulty_data_of_the_second_stage_ends_the_run_before_the_first_job(workflow: Workflow) -> None:
    workflow.put("IncomingBucketName", RL, jsonl([{"messages": []} for _ in range(120)]))
    ended = workflow.run(dataset(40, salt="rejected later"))
    assert (ended["status"], ended["error"]) == ("FAILED", "DatasetRejected"), ended.get("cause")
    assert f"runs/{ended['name']}/rl/manifest.json" in ended["cause"]
    assert created(workflow) == 0
    [rejected] = [e["detail"] for e in workflow.record(ended["name"])["ledger"] if e["type"] == "dataset_rejected"]
    assert (rejected["stage"], rejected["rows"]["rejected"]) == ("rl", 120)
    assert rejected["quarantine_uri"].endswith(f"/runs/{ended['name']}/rl/quarantine.jsonl")
    workflow.nothing_left_running()


def test_a_second_stage_that_fails_ends_the_run_and_deploys_nothing(workflow: Workflow) -> None:
    before = workflow.pointer()
    workflow.emulator.faults.fail_job("training-rl")
    ended = workflow.run(dataset(40, salt="fails later"))
    assert (ended["status"], ended["error"]) == ("FAILED", "JobFailed"), ended.get("cause")
    assert created(workflow) == 2
    record = workflow.record(ended["name"])
    assert {job["stage"]: job["outcome"]["error"] or None for job in record["jobs"]} == {
        "training": None,
        "training-rl": "JobFailed",
    }
    assert record["further_rows"]["rl"]["out"] == 120
    assert workflow.pointer() == before
    assert not [call for call in workflow.emulator.calls if call.action.startswith("bedrock:Create")]
    workflow.nothing_left_running()


def test_a_missing_dataset_of_the_second_stage_is_told_by_the_plan(workflow: Workflow) -> None:
    workflow.s3.delete_object(Bucket=workflow["IncomingBucketName"], Key=RL)
    ended = workflow.run(dataset(40, salt="missing later"))
    assert (ended["status"], ended["error"]) == ("FAILED", "InvalidRequest"), ended.get("cause")
    assert f"- training-rl: The dataset s3://{workflow['IncomingBucketName']}/{RL} cannot be read" in ended["cause"]
    assert created(workflow) == 0


def test_a_large_dataset_of_the_second_stage_is_cut(workflow: Workflow) -> None:
    rows = [{**asked(number), "unused": "x" * 300_000} for number in range(120)]
    workflow.put("IncomingBucketName", RL, jsonl(rows))
    ended = workflow.run(dataset(40, salt="large later"))
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    path = workflow.path(ended["executionArn"])
    assert {"TransformShards-rl", "FinishData-rl"} <= set(path)
    assert "TransformShards" not in path
    assert path.index("DataReady-rl") < path.index("Train")
    assert json.loads(ended["output"])["further_rows"]["rl"]["out"] == 120


def test_a_dry_run_checks_the_recipe_of_every_stage(workflow: Workflow) -> None:
    workflow.put("IncomingBucketName", "uploads/first.jsonl", dataset(40, salt="dry"))
    place = f"s3://{workflow['IncomingBucketName']}/uploads/first.jsonl"
    ended = workflow.finish(workflow.start(dataset=place, dry_run=True))
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    key = f"runs/{ended['name']}/dry-run/requests/training-rl.json"
    found = workflow.s3.get_object(Bucket=workflow["ArtifactsBucketName"], Key=key)["Body"].read()
    assert json.loads(found)["HyperParameters"]["base_model_location"] == CHECKPOINT_TO_COME
    key = f"runs/{ended['name']}/dry-run/recipes/training-rl.yaml"
    recipe = workflow.s3.get_object(Bucket=workflow["ArtifactsBucketName"], Key=key)["Body"].read().decode()
    assert "max_steps: 40\n" in recipe
    assert f"model_name_or_path: {CHECKPOINT_TO_COME}\n" in recipe
    assert created(workflow) == 0


def test_the_same_data_of_the_first_stage_trains_again_once_that_of_the_second_has_changed(workflow: Workflow) -> None:
    body = dataset(40, salt="the same")
    assert json.loads(workflow.run(body)["output"])["status"] == "SUCCEEDED"
    assert json.loads(workflow.run(body)["output"])["status"] == "SKIPPED"
    workflow.put("IncomingBucketName", RL, jsonl([asked(number) for number in range(130)]))
    assert json.loads(workflow.run(body)["output"])["status"] == "SUCCEEDED"
