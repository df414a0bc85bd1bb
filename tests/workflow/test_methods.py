"""Methods other than supervised LoRA, from dataset to verdict: full rank, and reinforcement with a reward function."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from nova_constructs import (
    EvaluationTask,
    Floor,
    NoDeployment,
    NovaCustomization,
    QualityGate,
    TrainingJobs,
)
from nova_constructs.app import FEATURE_FLAGS
from nova_constructs.emulator import Emulator
from tests.workflow.harness import SPEED, Workflow, dataset, jsonl, synthesize

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
FULL_RANK = {
    "model": "NOVA_MICRO",
    "method": "SFT_FULL",
    "platform": {
        "type": "SMTJ",
        "instance_type": "ml.p5.48xlarge",
        "instance_count": 2,
        "max_runtime_hours": 6,
        "max_pending_hours": 1,
    },
    "deployment": {"target": "NONE"},
}
SCORE = """
def handler(samples, context):
    print("asked about", [sample["messages"][-1]["role"] for sample in samples])
    return [{"id": sample["id"], "aggregate_reward_score": 0.5} for sample in samples]
"""


def asked(number: int) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": f"{number} + 1?"}], "reference_answer": f"{number + 1}"}


def recipe_of(workflow: Workflow, run_id: str) -> str:
    place = {"Bucket": workflow["ArtifactsBucketName"], "Key": f"runs/{run_id}/training/recipe/recipe.yaml"}
    return workflow.s3.get_object(**place)["Body"].read().decode()  # type: ignore[no-any-return]


def training_job(workflow: Workflow) -> dict[str, Any]:
    sagemaker = workflow.emulator.client("sagemaker")
    jobs = [sagemaker.describe_training_job(TrainingJobName=name) for name in workflow.jobs()]
    return next(job for job in jobs if "nova-fine-tune" in job["AlgorithmSpecification"]["TrainingImage"])


def test_a_full_rank_model_is_trained_and_evaluated_without_a_deployment(tmp_path: Path) -> None:
    with Emulator(speed=SPEED) as emulator:
        workflow = Workflow(emulator, synthesize(tmp_path, **FULL_RANK))
        ended = workflow.run(dataset(40, salt="full rank"))
        assert ended["status"] == "SUCCEEDED", ended.get("cause")
        told = json.loads(ended["output"])
        assert (told["status"], told["gate"]["verdict"]) == ("SUCCEEDED", "PASSED")
        assert "model_arn" not in told
        assert "peft_scheme: null" in recipe_of(workflow, ended["name"])
        assert workflow.pointer() is None
        assert emulator.client("bedrock").list_custom_models()["modelSummaries"] == []
        assert [str(call) for call in emulator.calls.denied()] == []


@pytest.mark.parametrize("method", ["RFT_LORA", "RFT_FULL"])
def test_reinforcement_calls_the_reward_function_and_no_other(tmp_path: Path, method: str) -> None:
    with Emulator(speed=SPEED) as emulator:
        workflow = Workflow(emulator, reinforcement(tmp_path, method))
        ended = workflow.run(jsonl([asked(number) for number in range(120)]))
        assert ended["status"] == "SUCCEEDED", ended.get("cause")
        told = json.loads(ended["output"])
        assert told["status"] == "SUCCEEDED"
        assert ("model_arn" in told) == (method == "RFT_LORA")
        job = training_job(workflow)
        reward = job["HyperParameters"]["reward_lambda_arn"]
        assert recipe_of(workflow, ended["name"]).count(reward) == 2
        called = [call for call in emulator.calls.used() if call[1] == "CallRewardFunction"]
        assert [action for _, _, action in called] == ["lambda:InvokeFunction"]
        assert [str(call) for call in emulator.calls.denied()] == []
        emulator.client("lambda").get_function(FunctionName=reward)


def reinforcement(folder: Path, method: str) -> Path:
    """Synthesize a customization whose reward function is a construct of the same stack."""
    app = App(outdir=str(folder / "out"), context=FEATURE_FLAGS, analytics_reporting=False)
    stack = Stack(app, "Nova-Demo")
    role = iam.Role(stack, "ScoreRole", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    logging = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    role.add_to_policy(iam.PolicyStatement(actions=logging, resources=["*"]))
    code, runtime = lambda_.Code.from_inline(SCORE), lambda_.Runtime.PYTHON_3_13
    score = lambda_.Function(stack, "Score", code=code, handler="index.handler", runtime=runtime, role=role)
    NovaCustomization(
        stack,
        "Demo",
        model="NOVA_LITE_2",
        method=method,
        platform=TrainingJobs(instance_type="ml.p5.48xlarge", instance_count=4),
        evaluation=[EvaluationTask(task="mmlu")],
        gate=QualityGate(criteria=[Floor(task="mmlu", floor=0.2)]),
        deployment=NoDeployment() if method == "RFT_FULL" else None,
        reward_function=score,
    )
    app.synth()
    return folder / "out"
