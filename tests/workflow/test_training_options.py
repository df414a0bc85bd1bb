"""What a platform asks for reaches every job of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nova_constructs.emulator import Emulator
from tests.workflow.harness import ENTRY, SPEED, Workflow, synthesize

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PLATFORM = {
    **ENTRY["platform"],
    "vpc": {"subnets": ["subnet-0a", "subnet-0b"], "security_groups": ["sg-0a"]},
    "encrypt_traffic": True,
    "environment": {"NCCL_DEBUG": "INFO"},
    "tags": {"team": "support"},
    "keep_alive_minutes": 30,
}
DATA = {**ENTRY["data"], "split": {"train": 0.75, "validation": 0.25, "test": 0.0}}


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflow]:
    with Emulator(speed=SPEED) as emulator:
        yield Workflow(emulator, synthesize(tmp_path_factory.mktemp("options"), platform=PLATFORM, data=DATA))


def test_the_jobs_of_a_run_are_as_the_platform_says(workflow: Workflow) -> None:
    ended = workflow.run()
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    assert list(workflow.emulator.calls.denied()) == []
    sagemaker = workflow.emulator.client("sagemaker")
    jobs = [sagemaker.describe_training_job(TrainingJobName=name) for name in workflow.jobs()]
    assert len(jobs) == 3
    for job in jobs:
        assert job["VpcConfig"] == {"Subnets": ["subnet-0a", "subnet-0b"], "SecurityGroupIds": ["sg-0a"]}
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
