"""Where there is no capacity for the instances that a job asks for, it moves on to the next choice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from nova_constructs.emulator import Emulator
from tests.workflow.harness import ENTRY, SPEED, Workflow, synthesize

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

P5, P5EN, P4D = "ml.p5.48xlarge", "ml.p5en.48xlarge", "ml.p4d.24xlarge"
PLATFORM = {**ENTRY["platform"], "alternatives": [{"instance_type": P5EN, "instance_count": 8}]}
EVALUATION_PLATFORM = {
    **ENTRY["platform"],
    "instance_count": 1,
    "alternatives": [{"instance_type": P4D, "instance_count": 1}],
}


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflow]:
    changes = {"platform": PLATFORM, "evaluation": [{"task": "mmlu", "platform": EVALUATION_PLATFORM}]}
    with Emulator(speed=SPEED) as emulator:
        yield Workflow(emulator, synthesize(tmp_path_factory.mktemp("alternatives"), **changes))


def details(workflow: Workflow, run_id: str, kind: str, stage: str) -> list[dict[str, Any]]:
    """Return what the ledger says of the attempts of a stage, in their order."""
    found = [event["detail"] for event in workflow.record(run_id)["ledger"] if event["type"] == kind]
    return [detail for detail in found if detail["stage"] == stage]


def on(detail: dict[str, Any]) -> tuple[str, int, int]:
    return detail["instance_type"], detail["instance_count"], detail["choice"]


def test_a_run_succeeds_on_the_second_choice(workflow: Workflow) -> None:
    workflow.emulator.faults.no_capacity(instance_type=P5)
    ended = workflow.run()
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    run = ended["name"]
    submitted = details(workflow, run, "job_submitted", "training")
    assert [on(each) for each in submitted] == [(P5, 4, 1), (P5EN, 8, 2)]
    lacking, done = details(workflow, run, "job_ended", "training")
    assert (lacking["error"], lacking["name"]) == ("CapacityUnavailable", submitted[0]["name"])
    assert lacking["cause"].endswith(
        "it got no instances within 3600 seconds; tried in vain: 4 x ml.p5.48xlarge (1 of 2 choices)"
    )
    assert (done["error"], on(done)) == ("", (P5EN, 8, 2))
    assert [on(each) for each in details(workflow, run, "job_submitted", "evaluation-mmlu")] == [
        (P5, 1, 1),
        (P4D, 1, 2),
    ]
    sagemaker = workflow.emulator.client("sagemaker")
    job = sagemaker.describe_training_job(TrainingJobName=submitted[1]["name"])
    assert (job["ResourceConfig"]["InstanceType"], job["ResourceConfig"]["InstanceCount"]) == (P5EN, 8)
    channel = next(each for each in job["InputDataConfig"] if each["ChannelName"] == "recipe")
    folder = channel["DataSource"]["S3DataSource"]["S3Uri"]
    assert folder == f"s3://{workflow['ArtifactsBucketName']}/runs/{run}/training-alternative-2/recipe/"
    recipe = workflow.s3.get_object(
        Bucket=workflow["ArtifactsBucketName"], Key=f"runs/{run}/training-alternative-2/recipe/recipe.yaml"
    )
    assert yaml.safe_load(recipe["Body"].read())["run"]["replicas"] == 8
    jobs = {each["stage"]: each for each in workflow.record(run)["jobs"]}
    assert (on(jobs["training"]), jobs["training"]["attempt"]) == ((P5EN, 8, 2), 2)
    assert list(workflow.emulator.calls.denied()) == []
    workflow.nothing_left_running()


def test_a_run_without_any_capacity_names_every_choice(workflow: Workflow) -> None:
    before = set(workflow.jobs())
    workflow.emulator.faults.no_capacity("training")
    ended = workflow.run()
    assert (ended["status"], ended["error"]) == ("FAILED", "CapacityUnavailable")
    assert ended["cause"].endswith("; tried in vain: 4 x ml.p5.48xlarge, 8 x ml.p5en.48xlarge (2 of 2 choices)")
    assert [status for name, status in workflow.jobs().items() if name not in before] == ["Stopped"] * 8
    attempts = [on(each) for each in details(workflow, ended["name"], "job_submitted", "training")]
    assert attempts == [(P5, 4, 1), (P5EN, 8, 2)] * 4
    assert workflow.record(ended["name"])["error"] == "CapacityUnavailable"
    workflow.nothing_left_running()


def test_a_choice_that_the_quota_refuses_is_passed_over(workflow: Workflow) -> None:
    faults = workflow.emulator.faults
    message = "The account-level service limit 'ml.p5.48xlarge for training job usage' is 0 Instances."
    faults.error("sagemaker", "CreateTrainingJob", "ResourceLimitExceeded", message)
    ended = workflow.run()
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    refused, done = details(workflow, ended["name"], "job_ended", "training")
    assert (refused["error"], on(refused)) == ("QuotaExceeded", (P5, 4, 1))
    assert "ml.p5.48xlarge for training job usage" in refused["cause"]
    assert (done["error"], on(done)) == ("", (P5EN, 8, 2))
    workflow.nothing_left_running()
