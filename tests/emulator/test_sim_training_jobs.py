"""Training jobs as boto3 sees them: checks of the request, timeline, events, stop, limits, failures, output."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nova_constructs.emulator.simulation import Simulation
from tests.emulator import sim_support as support
from tests.emulator.sim_support import World, channel, finish, prepare, training_request


@pytest.fixture
def world() -> Iterator[World]:
    with support.running() as running:
        prepare(running)
        yield running


@pytest.fixture
def timed() -> Iterator[World]:
    """Serve at a speed at which a loaded machine's delays stay small in simulated seconds."""
    with support.running(speed=1500.0) as running:
        prepare(running)
        yield running


def refusal(world: World, **changes: Any) -> str:
    with pytest.raises(ClientError) as caught:
        world.client("sagemaker").create_training_job(**training_request(**changes))
    error = caught.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


def test_a_job_passes_through_the_real_statuses_in_its_simulated_time(timed: World) -> None:
    sagemaker = timed.client("sagemaker")
    created = sagemaker.create_training_job(**training_request())
    assert created["TrainingJobArn"] == "arn:aws:sagemaker:us-east-1:123456789012:training-job/demo-train"
    job = finish(sagemaker)
    statuses = [each["Status"] for each in job["SecondaryStatusTransitions"]]
    assert statuses == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert job["SecondaryStatus"] == "Completed"
    seconds = (job["TrainingEndTime"] - job["CreationTime"]).total_seconds()
    assert 3600 <= seconds < 4500
    assert job["TrainingTimeInSeconds"] == pytest.approx(seconds - 0.08 * 3600, abs=900)


def test_the_description_repeats_the_request_without_its_tags(world: World) -> None:
    sagemaker = world.client("sagemaker")
    request = training_request(Environment={"A": "b"}, RetryStrategy={"MaximumRetryAttempts": 2})
    sagemaker.create_training_job(**request)
    job = sagemaker.describe_training_job(TrainingJobName="demo-train")
    tags = request.pop("Tags")
    assert {key: job[key] for key in request} == request
    assert "Tags" not in job
    assert sagemaker.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"] == tags


def test_each_change_puts_an_event_with_the_documented_detail(world: World) -> None:
    sagemaker = world.client("sagemaker")
    sagemaker.create_training_job(**training_request())
    arn = finish(sagemaker)["TrainingJobArn"]
    support.until(lambda: len(world.events), lambda count: count == 5)
    assert {event["source"] for event in world.events} == {"aws.sagemaker"}
    assert {event["detail-type"] for event in world.events} == {"SageMaker Training Job State Change"}
    assert support.codes(world.events) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    last = world.events[-1]
    assert last["resources"] == [arn]
    assert last["detail"]["TrainingJobStatus"] == "Completed"
    assert last["detail"]["Tags"] == {"nova-constructs:stage": "training"}
    assert isinstance(last["detail"]["TrainingEndTime"], int)
    assert last["detail"]["TrainingEndTime"] > last["detail"]["CreationTime"]
    json.dumps(last)


def test_the_archive_names_a_checkpoint_in_escrow(world: World) -> None:
    uri = support.trained(world)
    assert uri.startswith("s3://customer-escrow-123456789012-smtj-")
    assert uri.endswith("/demo-train/step_40")
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    listed = world.client("s3").list_objects_v2(Bucket=bucket, Prefix=key)["Contents"]
    assert [entry["Key"].rsplit("/", 1)[-1] for entry in listed] == ["config.json", "model-00001-of-00001.safetensors"]
    assert bucket not in [each["Name"] for each in world.client("s3").list_buckets()["Buckets"]]


def test_the_job_acts_under_its_role(world: World) -> None:
    support.trained(world)
    assert {role for role, _, _ in world.acted} == {support.ROLE}
    assert {f"{service}:{operation}" for _, service, operation in world.acted} == {
        "ecr:GetAuthorizationToken",
        "ecr:BatchGetImage",
        "ecr:BatchCheckLayerAvailability",
        "ecr:GetDownloadUrlForLayer",
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:DescribeLogStreams",
        "logs:PutLogEvents",
        "s3:ListObjectsV2",
        "s3:GetObject",
        "s3:PutObject",
    }


@pytest.mark.parametrize(
    ("call", "action"),
    [
        ("ecr:BatchGetImage", "ecr:BatchGetImage"),
        ("logs:CreateLogStream", "logs:CreateLogStream"),
        ("logs:PutLogEvents", "logs:PutLogEvents"),
        ("s3:ListObjectsV2", "s3:ListBucket"),
        ("s3:GetObject", "s3:GetObject"),
        ("s3:PutObject", "s3:PutObject"),
    ],
)
def test_a_refused_call_fails_the_job_and_names_the_action(world: World, call: str, action: str) -> None:
    world.refuse.add(call)
    sagemaker = world.client("sagemaker")
    sagemaker.create_training_job(**training_request())
    job = finish(sagemaker)
    assert job["TrainingJobStatus"] == "Failed"
    assert f"AccessDeniedException on {action}: " in job["FailureReason"]
    assert job["SecondaryStatusTransitions"][-1]["StatusMessage"] == job["FailureReason"]


def test_a_name_cannot_be_used_twice(world: World) -> None:
    world.client("sagemaker").create_training_job(**training_request())
    assert refusal(world).startswith("ResourceInUse: Training job names must be unique")


def test_requests_that_cannot_run_are_refused(world: World) -> None:
    image = {"TrainingInputMode": "File", "TrainingImage": support.IMAGE.replace("us-east-1", "us-west-2")}
    assert "Invalid training image" in refusal(world, AlgorithmSpecification=image)
    other = {"TrainingInputMode": "File", "TrainingImage": support.IMAGE.replace("SM-TJ-", "SM-HP-")}
    assert "not an image for training jobs" in refusal(world, AlgorithmSpecification=other)
    assert "InstanceType" in refusal(world, ResourceConfig={"VolumeSizeInGB": 30})
    missing = [channel("train", "s3://work/nothing", "Converse")]
    assert 'No S3 objects found under S3 URL "s3://work/nothing"' in refusal(world, InputDataConfig=missing)
    twice = [channel("train", "s3://work/run/")] * 2
    assert "Channel names must be unique" in refusal(world, InputDataConfig=twice)
    assert "MaxRuntimeInSeconds" in refusal(world, StoppingCondition={"MaxRuntimeInSeconds": 29 * 86400})
    assert not world.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]


def test_a_role_that_sagemaker_may_not_assume_is_refused(world: World) -> None:
    world.refuse.add("sts:AssumeRole")
    assert refusal(world).startswith(f"ValidationException: Could not assume role {support.ROLE}.")


def test_a_stopped_job_goes_through_stopping(world: World) -> None:
    sagemaker = world.client("sagemaker")
    sagemaker.create_training_job(**training_request())
    sagemaker.stop_training_job(TrainingJobName="demo-train")
    job = finish(sagemaker)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    statuses = [each["Status"] for each in job["SecondaryStatusTransitions"]]
    assert statuses[-2:] == ["Stopping", "Stopped"]
    assert [event["detail"]["TrainingJobStatus"] for event in world.events][-2:] == ["Stopping", "Stopped"]
    with pytest.raises(ClientError, match="training job is in status Stopped"):
        sagemaker.stop_training_job(TrainingJobName="demo-train")


def test_an_unknown_job_is_a_validation_error(world: World) -> None:
    for operation in ("describe_training_job", "stop_training_job"):
        with pytest.raises(ClientError, match=r"ValidationException.*Requested resource not found"):
            getattr(world.client("sagemaker"), operation)(TrainingJobName="nobody")


def test_a_job_that_reaches_its_maximum_run_time_is_stopped(timed: World) -> None:
    sagemaker = timed.client("sagemaker")
    sagemaker.create_training_job(**training_request(StoppingCondition={"MaxRuntimeInSeconds": 1000}))
    job = finish(sagemaker)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert 1000 <= job["TrainingTimeInSeconds"] < 1800


def test_injected_faults_fail_stop_or_hold_a_job(world: World) -> None:
    sagemaker = world.client("sagemaker")
    world.faults.fail_job("demo-a", reason="AlgorithmError: loss is NaN")
    world.faults.stop_job("demo-b")
    world.faults.never_finish("demo-c")
    for name in ("demo-a", "demo-b", "demo-c"):
        limit = {"MaxRuntimeInSeconds": 7200}
        sagemaker.create_training_job(**training_request(name, StoppingCondition=limit))
    failed = finish(sagemaker, "demo-a")
    assert (failed["TrainingJobStatus"], failed["FailureReason"]) == ("Failed", "AlgorithmError: loss is NaN")
    assert finish(sagemaker, "demo-b")["SecondaryStatus"] == "Stopped"
    assert finish(sagemaker, "demo-c")["SecondaryStatus"] == "MaxRuntimeExceeded"
    assert world.faults.fired == {"fail_job": 1, "stop_job": 1, "never_finish": 1}


def test_a_job_without_capacity_is_pending_until_its_limit_and_then_ends(world: World) -> None:
    sagemaker = world.client("sagemaker")
    world.faults.no_capacity("demo-a")
    world.faults.no_capacity("demo-b", reason="CapacityError: Unable to provision requested ML compute capacity.")
    for name in ("demo-a", "demo-b"):
        limit = {"MaxRuntimeInSeconds": 7200, "MaxPendingTimeInSeconds": 3600}
        sagemaker.create_training_job(**training_request(name, StoppingCondition=limit))
    stopped, failed = finish(sagemaker, "demo-a"), finish(sagemaker, "demo-b")
    assert (stopped["TrainingJobStatus"], stopped["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert "TrainingStartTime" not in stopped
    assert (stopped["TrainingEndTime"] - stopped["CreationTime"]).total_seconds() >= 3600
    assert failed["FailureReason"].startswith("CapacityError: ")


def test_capacity_can_be_lacking_of_one_instance_type(world: World) -> None:
    sagemaker = world.client("sagemaker")
    world.faults.no_capacity(instance_type="ml.p5.48xlarge")
    limit = {"MaxRuntimeInSeconds": 7200, "MaxPendingTimeInSeconds": 3600}
    for name, wanted in (("demo-a", "ml.p5.48xlarge"), ("demo-b", "ml.p5en.48xlarge")):
        resources = {"InstanceType": wanted, "InstanceCount": 4, "VolumeSizeInGB": 30}
        sagemaker.create_training_job(**training_request(name, StoppingCondition=limit, ResourceConfig=resources))
    assert finish(sagemaker, "demo-a")["TrainingJobStatus"] == "Stopped"
    assert finish(sagemaker, "demo-b")["TrainingJobStatus"] == "Completed"


def test_output_can_be_left_out(world: World) -> None:
    world.faults.omit_output("training")
    sagemaker = world.client("sagemaker")
    sagemaker.create_training_job(**training_request())
    assert finish(sagemaker)["TrainingJobStatus"] == "Completed"
    assert support.archive(world.client("s3"), "demo-train") == {}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"not json\n", "not a JSON document"),
        (support.dataset(3), "has 3 samples; at least 8 are required"),
        (support.dataset() + support.conversation("Hi", "Assistant: hello"), "reserved keyword 'Assistant:'"),
        (support.dataset() + b'{"schemaVersion": "x", "messages": []}\n', "at least two turns"),
        (support.dataset().replace(b'"assistant"', b'"user"', 1), "message 2 must have role 'assistant'"),
    ],
)
def test_malformed_training_data_fails_the_job(world: World, body: bytes, reason: str) -> None:
    world.client("s3").put_object(Bucket="work", Key="run/train.jsonl", Body=body)
    sagemaker = world.client("sagemaker")
    sagemaker.create_training_job(**training_request())
    job = finish(sagemaker)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: ")
    assert reason in job["FailureReason"]


def test_a_missing_recipe_fails_the_job(world: World) -> None:
    path = {"sagemaker_recipe_local_path": "/opt/ml/input/data/recipe/other.yaml"}
    sagemaker = world.client("sagemaker")
    sagemaker.create_training_job(**training_request(HyperParameters=path))
    assert "Recipe file not found: /opt/ml/input/data/recipe/other.yaml" in finish(sagemaker)["FailureReason"]


def test_an_instance_type_without_the_right_accelerators_fails_the_job(world: World) -> None:
    resources = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30}
    sagemaker = world.client("sagemaker")
    sagemaker.create_training_job(**training_request(ResourceConfig=resources))
    assert "Instance type ml.m5.xlarge is not supported" in finish(sagemaker)["FailureReason"]


def test_training_continues_only_from_a_checkpoint_that_exists(world: World) -> None:
    first = support.trained(world)
    parameters = dict(training_request()["HyperParameters"], base_model_location=first)
    assert support.trained(world, "demo-next", HyperParameters=parameters).endswith("/demo-next/step_40")
    sagemaker = world.client("sagemaker")
    parameters["base_model_location"] = first + "1"
    sagemaker.create_training_job(**training_request("demo-lost", HyperParameters=parameters))
    assert f"Model checkpoint not found: {first}1" in finish(sagemaker, "demo-lost")["FailureReason"]


def test_jobs_are_listed_with_filters_and_pages(world: World) -> None:
    sagemaker = world.client("sagemaker")
    for name in ("a-1", "b-1", "b-2"):
        sagemaker.create_training_job(**training_request(name))
    names = [job["TrainingJobName"] for job in sagemaker.list_training_jobs(NameContains="b")["TrainingJobSummaries"]]
    assert sorted(names) == ["b-1", "b-2"]
    first = sagemaker.list_training_jobs(MaxResults=2, SortBy="Name", SortOrder="Ascending")
    rest = sagemaker.list_training_jobs(
        MaxResults=2, SortBy="Name", SortOrder="Ascending", NextToken=first["NextToken"]
    )
    assert [job["TrainingJobName"] for job in rest["TrainingJobSummaries"]] == ["b-2"]
    assert "NextToken" not in rest


def test_only_finished_jobs_can_be_deleted(world: World) -> None:
    sagemaker = world.client("sagemaker")
    sagemaker.create_training_job(**training_request())
    with pytest.raises(ClientError, match="ResourceInUse"):
        sagemaker.delete_training_job(TrainingJobName="demo-train")
    finish(sagemaker)
    sagemaker.delete_training_job(TrainingJobName="demo-train")
    assert not sagemaker.list_training_jobs()["TrainingJobSummaries"]


def test_tags_can_be_changed_and_found(world: World) -> None:
    from nova_constructs.emulator import simulators

    sagemaker = world.client("sagemaker")
    arn = sagemaker.create_training_job(**training_request())["TrainingJobArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "k", "Value": "v"}])
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["nova-constructs:stage"])
    assert simulators.tags_of(world, arn) == {"k": "v"}  # type: ignore[arg-type]
    assert simulators.tags_of(world, arn + "x") is None  # type: ignore[arg-type]


def test_hooks_change_the_plan_of_one_job() -> None:
    simulation = Simulation(hooks=(lambda request: {"training_seconds": 100} if "short" in str(request) else {},))
    with support.running(simulation, speed=1000.0) as world:
        prepare(world)
        sagemaker = world.client("sagemaker")
        sagemaker.create_training_job(**training_request("short"))
        job = finish(sagemaker, "short")
        assert 100 <= (job["TrainingEndTime"] - job["CreationTime"]).total_seconds() < 1000


def test_leaving_the_emulator_ends_running_jobs_and_restores_moto() -> None:
    import threading

    from moto.sagemaker.responses import SageMakerResponse

    before = SageMakerResponse.create_training_job
    with support.running(speed=1.0) as world:
        prepare(world)
        world.client("sagemaker").create_training_job(**training_request("left-behind"))
        assert SageMakerResponse.create_training_job is not before
    assert SageMakerResponse.create_training_job is before
    assert "training-job-left-behind" not in [thread.name for thread in threading.enumerate()]
