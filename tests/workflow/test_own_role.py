"""Jobs under a role of the user's own, to which nothing is attached: it does, or what it lacks is told by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_iam as iam

from lambda_handlers.catalog.mlflow import SERVER_ACTIONS
from nova_constructs import (
    EvaluationTask,
    Floor,
    MlflowTracking,
    NoDeployment,
    NovaCustomization,
    QualityGate,
    TrainingJobs,
)
from nova_constructs.app import FEATURE_FLAGS
from nova_constructs.emulator import Emulator
from tests.workflow.harness import SPEED, Workflow

SERVER = "arn:aws:sagemaker:us-east-1:123456789012:mlflow-tracking-server/mine"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def synthesized(folder: Path) -> Path:
    """Synthesize a customization whose jobs run under a role of the stack, with the statements that it lists."""
    app = App(outdir=str(folder / "out"), context=FEATURE_FLAGS, analytics_reporting=False)
    stack = Stack(app, "Nova-Demo")
    mine = iam.Role(stack, "Mine", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
    demo = NovaCustomization(
        stack,
        "Demo",
        model="NOVA_LITE_2",
        method="SFT_LORA",
        platform=TrainingJobs(
            instance_type="ml.p5.48xlarge", instance_count=4, mlflow=MlflowTracking(resource_arn=SERVER)
        ),
        evaluation=[EvaluationTask(task="mmlu")],
        gate=QualityGate(criteria=[Floor(task="mmlu", floor=0.2)]),
        deployment=NoDeployment(),
        execution_role=mine,
    )
    iam.Policy(stack, "MinePolicy", roles=[mine], statements=demo.execution_role.statements)
    app.synth()
    return folder / "out"


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflow]:
    with Emulator(speed=SPEED) as emulator:
        emulator.client("sagemaker").create_mlflow_tracking_server(
            TrackingServerName="mine",
            ArtifactStoreUri="s3://mlflow",
            RoleArn="arn:aws:iam::123456789012:role/mlflow-mine",
        )
        yield Workflow(emulator, synthesized(tmp_path_factory.mktemp("own")))


def role_name(workflow: Workflow) -> str:
    names = workflow.stack.resources
    [found] = [names[name] for name in names if name.startswith("Mine") and "Policy" not in name]
    return found


def test_the_jobs_run_under_the_role_and_no_other_is_made(workflow: Workflow) -> None:
    ended = workflow.run()
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    sagemaker = workflow.emulator.client("sagemaker")
    jobs = [sagemaker.describe_training_job(TrainingJobName=name) for name in workflow.jobs()]
    assert [job["MlflowConfig"]["MlflowResourceArn"] for job in jobs if "MlflowConfig" in job] == [SERVER]
    assert {job["RoleArn"] for job in jobs} == {f"arn:aws:iam::123456789012:role/{role_name(workflow)}"}
    assert [name for name in workflow.stack.resources if "ExecutionRole" in name] == []
    [warning] = json.loads(ended["output"])["warnings"]
    assert "for jobs of any account: let its trust policy require that aws:SourceAccount is 123456789012" in warning
    assert [str(call) for call in workflow.emulator.calls.denied()] == []


def test_what_the_role_lacks_is_told_before_any_job_call(workflow: Workflow) -> None:
    client, name = workflow.emulator.client("iam"), role_name(workflow)
    [policy] = client.list_role_policies(RoleName=name)["PolicyNames"]
    whole: dict[str, Any] = client.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    less = [each for each in whole["Statement"] if each["Sid"] not in ("WriteOutput", "TrackInServer")]
    put = {"RoleName": name, "PolicyName": policy}
    client.put_role_policy(**put, PolicyDocument=json.dumps({**whole, "Statement": less}))
    workflow.emulator.calls.clear()
    ended = workflow.run()
    client.put_role_policy(**put, PolicyDocument=json.dumps(whole))
    assert (ended["status"], ended["error"]) == ("FAILED", "InvalidRequest")
    _, *problems = ended["cause"].splitlines()
    arn = f"arn:aws:iam::123456789012:role/{name}"
    assert problems[0].startswith(f"- The execution role {arn} cannot write below s3://")
    assert "s3:PutObject on arn:aws:s3:::" in problems[0]
    assert problems[1].startswith(f"- The execution role {arn} cannot track in MLflow: sagemaker-mlflow:Create")
    assert all(problem.endswith("is not allowed: add it to the role's policies.") for problem in problems)
    assert len(problems) == 1 + len(SERVER_ACTIONS)
    workflow.record(ended["name"])
    assert [call.source for call in workflow.emulator.calls if call.source.endswith("CreateTrainingJob")] == []
