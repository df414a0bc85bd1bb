"""Reinforcement with a reward function, by LoRA and at full rank, from dataset to verdict."""

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
from tests.recipes import public_recipes
from tests.workflow.harness import SPEED, Workflow, jsonl
from tests.workflow.jobs_support import jobs, recipe_of, slug, source

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SCORE = """
def handler(samples, context):
    print("asked about", [sample["messages"][-1]["role"] for sample in samples])
    return [{"id": sample["id"], "aggregate_reward_score": 0.5} for sample in samples]
"""


def asked(number: int) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": f"{number} + 1?"}], "reference_answer": f"{number + 1}"}


RECIPES = {
    "RFT_LORA": "nova_lite_v2_smtj_p5_p5en_gpu_lora_rft",
    "RFT_FULL": "nova_lite_v2_smtj_p5_p5en_gpu_rft",
}


@pytest.mark.parametrize("method", ["RFT_LORA", "RFT_FULL"])
def test_reinforcement_calls_the_reward_function_and_no_other(tmp_path: Path, method: str) -> None:
    with Emulator(speed=SPEED) as emulator:
        workflow = Workflow(emulator, reinforcement(tmp_path, method))
        ended = workflow.run(jsonl([asked(number) for number in range(120)]))
        assert ended["status"] == "SUCCEEDED", ended.get("cause")
        told = json.loads(ended["output"])
        assert told["status"] == "SUCCEEDED"
        assert ("model_arn" in told) == (method == "RFT_LORA")
        [job, _] = jobs(workflow, ended["name"])
        reward = job["HyperParameters"]["reward_lambda_arn"]
        trained_as_asked(RECIPES[method], reward, workflow, job)
        called = [call for call in emulator.calls.used() if call[1] == "CallRewardFunction"]
        assert [action for _, _, action in called] == ["lambda:InvokeFunction"]
        assert [str(call) for call in emulator.calls.denied()] == []
        emulator.client("lambda").get_function(FunctionName=reward)


def trained_as_asked(recipe: str, reward: str, workflow: Workflow, job: dict[str, Any]) -> None:
    """Assert the training job's container, parameters, data and recipe."""
    train = source(job, "train")
    assert job["AlgorithmSpecification"]["TrainingImage"] == public_recipes.image(recipe)
    assert job["HyperParameters"] == {
        "model_type": "amazon.nova-2-lite-v1:0:256k",
        "base_model": "nova-lite-2/prod",
        "reward_lambda_arn": reward,
        "sagemaker_recipe_local_path": "/opt/ml/input/data/recipe/recipe.yaml",
    }
    assert train["S3DataType"] == "S3Prefix"
    assert recipe_of(workflow, job) == {
        **public_recipes.values(recipe),
        "run.name": slug(job),
        "run.replicas": 4,
        "run.data_s3_path": train["S3Uri"],
        "run.reward_lambda_arn": reward,
        "training_config.rollout.rewards.api_endpoint.lambda_arn": reward,
    }


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
