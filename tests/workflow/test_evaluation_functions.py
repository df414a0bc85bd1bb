"""Evaluations with data and functions of one's own in one run: processor, reward function, judge, held-out rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from nova_constructs import (
    HELD_OUT,
    DataFormat,
    EvaluationTask,
    Floor,
    NoDeployment,
    NovaCustomization,
    Processor,
    QualityGate,
    Split,
    TrainingJobs,
)
from nova_constructs.app import FEATURE_FLAGS
from nova_constructs.emulator import Emulator
from tests.workflow.harness import SPEED, Workflow, dataset, jsonl

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SCORE = """
def handler(event, context):
    if isinstance(event, list):
        return [{"id": each["id"], "aggregate_reward_score": 0.25} for each in event]
    if event["process_type"] == "preprocess":
        return {"statusCode": 200, "body": {**event["data"], "prompt": event["data"]["prompt"] + " Be brief."}}
    return {"statusCode": 200, "body": [{"metric": "brief", "value": float("Be brief." in event["data"]["prompt"])}]}
"""


def synthesized(folder: Path) -> Path:
    app = App(outdir=str(folder / "out"), context=FEATURE_FLAGS, analytics_reporting=False)
    stack = Stack(app, "Nova-Demo")
    role = iam.Role(stack, "ScoreRole", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    logging = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    role.add_to_policy(iam.PolicyStatement(actions=logging, resources=["*"]))
    code, runtime = lambda_.Code.from_inline(SCORE), lambda_.Runtime.PYTHON_3_13
    score = lambda_.Function(stack, "Score", code=code, handler="index.handler", runtime=runtime, role=role)
    copied = TrainingJobs(instance_type="ml.p5.48xlarge", instance_count=1, tensorboard=True)
    NovaCustomization(
        stack,
        "Demo",
        model="NOVA_LITE_2",
        method="SFT_LORA",
        platform=TrainingJobs(instance_type="ml.p5.48xlarge", instance_count=4),
        data=DataFormat(split=Split(train=0.5, validation=0, test=0.5), no_leak=True),
        evaluation=[
            EvaluationTask(task="mmmu", platform=copied),
            EvaluationTask(task="gen_qa", dataset=HELD_OUT, processor=Processor(function=score)),
            EvaluationTask(task="rft_eval", dataset="rewarded.jsonl", reward_function=score),
            EvaluationTask(task="rubric_llm_judge", dataset="pairs.jsonl"),
        ],
        gate=QualityGate(criteria=[Floor(task="gen_qa", metric="brief", floor=1)]),
        deployment=NoDeployment(),
    )
    app.synth()
    return folder / "out"


def test_functions_and_data_of_ones_own_score_a_model(tmp_path: Path) -> None:
    rewarded = [{"messages": [{"role": "user", "content": f"{n}?"}], "reference_answer": str(n)} for n in range(12)]
    pairs = [{"prompt": f"{n}?", "response_A": "yes", "response_B": "no"} for n in range(9)]
    with Emulator(speed=SPEED) as emulator:
        workflow = Workflow(emulator, synthesized(tmp_path))
        workflow.put("IncomingBucketName", "evaluation/rewarded.jsonl", jsonl(rewarded))
        workflow.put("IncomingBucketName", "evaluation/pairs.jsonl", jsonl(pairs))
        ended = workflow.run(dataset(40, salt="functions"))
        assert ended["status"] == "SUCCEEDED", ended.get("cause")
        told = json.loads(ended["output"])
        assert (told["status"], told["gate"]["verdict"]) == ("SUCCEEDED", "PASSED")
        ledger = workflow.record(ended["name"])["ledger"]
        read = {e["detail"]["task"]: e["detail"] for e in ledger if e["type"] == "evaluation_read"}
        assert read["gen_qa"]["metrics"]["brief"] == 1.0
        assert read["rft_eval"]["metrics"] == {"aggregate_reward_score": 0.25}
        assert 0 <= read["rubric_llm_judge"]["metrics"]["winrate"] <= 1
        assert {task: each["samples"] for task, each in read.items() if each["dataset_sha256"]} == {
            "gen_qa": 20,
            "rft_eval": 12,
            "rubric_llm_judge": 9,
        }
        assert len(read["mmmu"]["subtasks"]) == 29
        assert records_of(workflow, read["mmmu"]["tensorboard_uri"])
        called = [call for call in emulator.calls.used() if call[1] == "CallRewardFunction"]
        assert [action for _, _, action in called] == ["lambda:InvokeFunction"]
        assert [str(call) for call in emulator.calls.denied()] == []


def records_of(workflow: Workflow, uri: str) -> list[Any]:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    found = workflow.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return [each["Key"] for each in found if "tfevents" in each["Key"]]
