"""What a platform asks for reaches every job of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

from nova_constructs.emulator import Emulator
from tests.workflow.harness import ENTRY, SPEED, Workflow, synthesize

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PLATFORM = {
    **ENTRY["platform"],
    "encrypt_traffic": True,
    "environment": {"NCCL_DEBUG": "INFO"},
    "tags": {"team": "support"},
    "keep_alive_minutes": 30,
    "mlflow": {"experiment": "support"},
    "tensorboard": True,
}
DATA = {**ENTRY["data"], "split": {"train": 0.75, "validation": 0.25, "test": 0.0}}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(speed=SPEED) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def vpc(emulator: Emulator) -> dict[str, list[str]]:
    ec2 = emulator.client("ec2")
    name = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [ec2.create_subnet(VpcId=name, CidrBlock=f"10.0.{n}.0/24")["Subnet"]["SubnetId"] for n in range(2)]
    group = ec2.create_security_group(GroupName="jobs", Description="jobs", VpcId=name)["GroupId"]
    return {"subnets": subnets, "security_groups": [group]}


@pytest.fixture(scope="module")
def app(emulator: Emulator) -> str:
    """Return the ARN of the account's default app, which is on the second page of apps."""
    sagemaker = emulator.client("sagemaker")
    role, store = "arn:aws:iam::123456789012:role/mlflow-of-the-account", "s3://mlflow-of-the-account"
    for name in [*(f"other-{n}" for n in range(100)), "DefaultMLFlowApp"]:
        made = sagemaker.create_mlflow_app(Name=name, RoleArn=role, ArtifactStoreUri=store)
    return str(made["Arn"])


@pytest.fixture(scope="module")
def workflow(
    emulator: Emulator, vpc: dict[str, list[str]], app: str, tmp_path_factory: pytest.TempPathFactory
) -> Workflow:
    assert app
    folder = tmp_path_factory.mktemp("options")
    return Workflow(emulator, synthesize(folder, platform={**PLATFORM, "vpc": vpc}, data=DATA))


def test_the_jobs_of_a_run_are_as_the_platform_says(workflow: Workflow, vpc: dict[str, list[str]], app: str) -> None:
    ended = workflow.run()
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    assert list(workflow.emulator.calls.denied()) == []
    sagemaker = workflow.emulator.client("sagemaker")
    jobs = [sagemaker.describe_training_job(TrainingJobName=name) for name in workflow.jobs()]
    assert len(jobs) == 3
    for job in jobs:
        assert job["VpcConfig"] == {"Subnets": vpc["subnets"], "SecurityGroupIds": vpc["security_groups"]}
        assert job["EnableInterContainerTrafficEncryption"] is True
        tags = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"]}
        assert tags["team"] == "support"
        assert tags["nova-constructs:customization"] == "Nova-Demo/Demo"
        assert job["OutputDataConfig"]["KmsKeyId"].startswith("arn:aws:kms:")
    [training] = [job for job in jobs if "Environment" in job]
    channels = {each["ChannelName"]: each["DataSource"]["S3DataSource"] for each in training["InputDataConfig"]}
    assert list(channels) == ["train", "validation", "recipe"]
    assert (
        channels["validation"]["S3Uri"]
        == f"s3://{workflow['PreparedBucketName']}/runs/{ended['name']}/validation.jsonl"
    )
    assert channels["validation"]["S3DataType"] == "Converse"
    assert training["Environment"] == {"NCCL_DEBUG": "INFO"}
    assert training["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 1800
    output = f"s3://{workflow['ArtifactsBucketName']}/runs/{ended['name']}/jobs"
    assert training["TensorBoardOutputConfig"] == {"LocalPath": "/opt/ml/output/tensorboard", "S3OutputPath": output}
    assert training["MlflowConfig"] == {
        "MlflowResourceArn": app,
        "MlflowExperimentName": "support",
        "MlflowRunName": ended["name"],
    }
    assert [job["TrainingJobName"] for job in jobs if "MlflowConfig" in job] == [training["TrainingJobName"]]
    recipe = yaml.safe_load(workflow.s3.get_object(**recipe_of(channels["recipe"]["S3Uri"]))["Body"].read())
    tracked = {name: value for name, value in recipe["run"].items() if name.startswith("mlflow_")}
    assert tracked == {
        "mlflow_tracking_uri": app,
        "mlflow_experiment_name": "support",
        "mlflow_run_name": ended["name"],
    }


def recipe_of(folder: str) -> dict[str, str]:
    bucket, _, key = folder.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": f"{key}recipe.yaml"}


def test_a_job_that_gets_no_instances_in_time_is_tried_again(workflow: Workflow) -> None:
    before = set(workflow.jobs())
    workflow.emulator.faults.no_capacity("training", times=1)
    ended = workflow.run()
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    made = {name: status for name, status in workflow.jobs().items() if name not in before}
    assert sorted(made.values()) == ["Completed", "Completed", "Completed", "Stopped"]
    ended_jobs = [event["detail"] for event in workflow.record(ended["name"])["ledger"] if event["type"] == "job_ended"]
    [lacking] = [detail for detail in ended_jobs if detail.get("error")]
    assert lacking["error"] == "CapacityUnavailable"
    assert lacking["cause"].endswith("of stage training was stopped: it got no instances within 3600 seconds")


@contextmanager
def without_default(workflow: Workflow, app: str) -> Iterator[None]:
    """Let the account have no default app."""
    workflow.emulator.client("sagemaker").delete_mlflow_app(Arn=app)
    yield
    role, store = "arn:aws:iam::123456789012:role/mlflow-of-the-account", "s3://mlflow-of-the-account"
    workflow.emulator.client("sagemaker").create_mlflow_app(
        Name="DefaultMLFlowApp", RoleArn=role, ArtifactStoreUri=store
    )


def test_without_a_place_to_track_and_enough_addresses_no_job_is_started(
    workflow: Workflow, vpc: dict[str, list[str]], app: str
) -> None:
    ec2, before = workflow.emulator.client("ec2"), set(workflow.jobs())
    for subnet in vpc["subnets"]:  # taken for good, so that this is the last test of the module
        ec2.run_instances(ImageId="ami-12c6146b", MinCount=245, MaxCount=245, SubnetId=subnet)
    with without_default(workflow, app):
        ended = workflow.run()
    assert (ended["status"], ended["error"]) == ("FAILED", "InvalidRequest")
    said, *problems = ended["cause"].splitlines()
    assert said == "The run cannot start; nothing was spent."
    assert "no usable app DefaultMLFlowApp and no tracking server" in problems[0]
    assert "free addresses, and the jobs of the run need 20 at once" in problems[1]
    assert len(problems) == 2
    assert set(workflow.jobs()) == before
    workflow.record(ended["name"])
    workflow.nothing_left_running()
