"""The calls each driver makes, and what the services' answers mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from lambda_handlers.jobs import JobStatus, NameTaken, driver_for
from lambda_handlers.jobs.driver import DIGEST_TAG, JobDriver
from lambda_handlers.protocol import aws
from lambda_handlers.protocol.errors import InvalidRequest, QuotaExceeded, TransientServiceError
from lambda_handlers.protocol.names import client_token
from lambda_handlers.protocol.registry import JobRow

KINDS = (
    "TrainingJob",
    "CustomModel",
    "CustomModelDeployment",
    "DeploymentUpdate",
    "ProvisionedThroughput",
    "ThroughputUpdate",
)
MODULES = (
    "training_jobs",
    "bedrock",
    "custom_models",
    "deployments",
    "deployment_updates",
    "throughputs",
    "throughput_updates",
)
JOB_ARN = "arn:aws:sagemaker:us-east-1:123456789012:training-job/demo-x"
MODEL_ARN = "arn:aws:bedrock:us-east-1:123456789012:custom-model/imported/abcdefghij12"
DEPLOYMENT_ARN = "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghij12"
TAGS = {"nova-constructs:run": "r1", DIGEST_TAG: "digest"}
ROLE = "arn:aws:iam::123456789012:role/training"
JOB = {
    "TrainingJobName": "demo-x",
    "TrainingJobArn": JOB_ARN,
    "ModelArtifacts": {"S3ModelArtifacts": "s3://b/jobs/demo-x/output/model.tar.gz"},
    "TrainingJobStatus": "Completed",
    "SecondaryStatus": "Completed",
    "StoppingCondition": {},
    "CreationTime": datetime(2026, 1, 1, tzinfo=UTC),
    "OutputDataConfig": {"S3OutputPath": "s3://b/jobs/"},
    "TrainingTimeInSeconds": 3600,
}
CREATED = datetime(2026, 1, 1, tzinfo=UTC)
PENDING: dict[str, Any] = {
    **JOB,
    "TrainingJobStatus": "Stopped",
    "SecondaryStatus": "Stopped",
    "StoppingCondition": {"MaxPendingTimeInSeconds": 3600},
    "LastModifiedTime": CREATED + timedelta(seconds=3600),
}
MODEL = {"modelArn": MODEL_ARN, "modelName": "demo-x", "creationTime": datetime(2026, 1, 1, tzinfo=UTC)}
DEPLOYMENT = {
    "customModelDeploymentArn": DEPLOYMENT_ARN,
    "modelDeploymentName": "demo-x",
    "modelArn": MODEL_ARN,
    "createdAt": datetime(2026, 1, 1, tzinfo=UTC),
    "lastUpdatedAt": datetime(2026, 1, 1, tzinfo=UTC),
}


@pytest.fixture
def sagemaker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    yield from _stub("sagemaker", monkeypatch)


@pytest.fixture
def bedrock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    yield from _stub("bedrock", monkeypatch)


def _stub(service: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    client = boto3.client(service)
    for module in MODULES:
        monkeypatch.setattr(f"lambda_handlers.jobs.{module}.client", lambda _: client)
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def _row(kind: str) -> JobRow:
    return JobRow(
        run_id="r1",
        stage="training",
        kind=kind,
        job_name="demo-x",
        attempt=1,
        execution_arn="e",
        digest="digest",
        deadline=0,
        submission=0,
        submitted_at=0,
    )


def _refuse(stub: Stubber, operation: str, code: str, message: str = "", status: int = 400) -> None:
    stub.add_client_error(operation, code, message, status)


def test_there_is_a_driver_for_every_kind() -> None:
    for kind in KINDS:
        driver: JobDriver = driver_for(kind)
        assert (driver.kind, driver.name_limit) == (kind, 63)
    assert (driver_for("PyTorchJob").kind, driver_for("PyTorchJob").name_limit) == ("PyTorchJob", 40)
    with pytest.raises(KeyError):
        driver_for("RayJob")


def test_a_training_job_is_created_under_its_name_with_its_tags(sagemaker: Stubber) -> None:
    request: dict[str, Any] = {"RoleArn": ROLE, "OutputDataConfig": {"S3OutputPath": "s3://b/jobs"}}
    sent = {**request, "TrainingJobName": "demo-x", "Tags": [{"Key": k, "Value": v} for k, v in TAGS.items()]}
    sagemaker.add_response("create_training_job", {"TrainingJobArn": JOB_ARN}, sent)
    assert driver_for("TrainingJob").create("demo-x", request, "digest", TAGS) == JOB_ARN


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("ResourceInUse", 400, NameTaken),
        ("ResourceLimitExceeded", 400, QuotaExceeded),
        ("ValidationException", 400, InvalidRequest),
        ("ThrottlingException", 400, TransientServiceError),
        ("InternalFailure", 500, TransientServiceError),
    ],
)
def test_a_refused_training_job(sagemaker: Stubber, code: str, status: int, error: type[Exception]) -> None:
    _refuse(sagemaker, "create_training_job", code, status=status)
    with pytest.raises(error):
        driver_for("TrainingJob").create(
            "demo-x", {"RoleArn": ROLE, "OutputDataConfig": {"S3OutputPath": "s3://b"}}, "d", {}
        )


def test_a_completed_training_job_leaves_its_archive(sagemaker: Stubber) -> None:
    sagemaker.add_response("describe_training_job", JOB, {"TrainingJobName": "demo-x"})
    state = driver_for("TrainingJob").describe(_row("TrainingJob"))
    assert (state.status, state.arn) == (JobStatus.COMPLETED, JOB_ARN)
    assert state.output == {"output_uri": "s3://b/jobs/demo-x/output/output.tar.gz", "seconds": 3600}


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ({"TrainingJobStatus": "InProgress"}, (JobStatus.RUNNING, "")),
        ({"TrainingJobStatus": "Stopping"}, (JobStatus.RUNNING, "")),
        ({"TrainingJobStatus": "SomethingNew"}, (JobStatus.RUNNING, "")),
        ({"TrainingJobStatus": "Stopped", "SecondaryStatus": "Stopped"}, (JobStatus.STOPPED, "")),
        ({"TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxRuntimeExceeded"}, (JobStatus.STOPPED, "JobTimedOut")),
        (PENDING | {"LastModifiedTime": CREATED + timedelta(seconds=3599)}, (JobStatus.STOPPED, "")),
        (PENDING | {"TrainingStartTime": CREATED + timedelta(seconds=60)}, (JobStatus.STOPPED, "")),
        (PENDING | {"StoppingCondition": {}}, (JobStatus.STOPPED, "")),
        ({"TrainingJobStatus": "Failed", "FailureReason": "AlgorithmError: x"}, (JobStatus.FAILED, "")),
        (
            {"TrainingJobStatus": "Failed", "FailureReason": "CapacityError: none"},
            (JobStatus.FAILED, "CapacityUnavailable"),
        ),
    ],
)
def test_what_a_training_jobs_status_means(
    sagemaker: Stubber, service: dict[str, Any], expected: tuple[JobStatus, str]
) -> None:
    sagemaker.add_response("describe_training_job", {**JOB, **service})
    state = driver_for("TrainingJob").describe(_row("TrainingJob"))
    assert (state.status, state.error) == expected
    assert state.cause == service.get("FailureReason", "")


def test_a_job_that_was_stopped_for_lack_of_instances_says_so(sagemaker: Stubber) -> None:
    sagemaker.add_response("describe_training_job", PENDING)
    state = driver_for("TrainingJob").describe(_row("TrainingJob"))
    assert (state.status, state.error) == (JobStatus.STOPPED, "CapacityUnavailable")
    assert state.cause == "it got no instances within 3600 seconds"


def test_an_unknown_training_job_is_gone(sagemaker: Stubber) -> None:
    _refuse(sagemaker, "describe_training_job", "ValidationException", "Requested resource not found.")
    assert driver_for("TrainingJob").describe(_row("TrainingJob")).status is JobStatus.GONE


def test_the_digest_of_a_training_job_is_read_from_its_tags(sagemaker: Stubber) -> None:
    sagemaker.add_response("describe_training_job", JOB)
    tags = {"Tags": [{"Key": "other", "Value": "1"}, {"Key": DIGEST_TAG, "Value": "digest"}]}
    sagemaker.add_response("list_tags", tags, {"ResourceArn": JOB_ARN, "MaxResults": 100})
    assert driver_for("TrainingJob").digest_of(_row("TrainingJob")) == "digest"


def test_stopping_a_finished_training_job_is_success(sagemaker: Stubber) -> None:
    _refuse(sagemaker, "stop_training_job", "ValidationException", "The job is in status Completed.")
    driver_for("TrainingJob").stop(_row("TrainingJob"))


def test_a_custom_model_is_created_with_a_token_of_its_name_and_request(bedrock: Stubber) -> None:
    request = {"modelSourceConfig": {"s3DataSource": {"s3Uri": "s3://escrow/x"}}, "roleArn": ROLE}
    sent = {
        **request,
        "modelName": "demo-x",
        "modelTags": [{"key": k, "value": v} for k, v in TAGS.items()],
        "clientRequestToken": client_token("demo-x", "digest"),
    }
    bedrock.add_response("create_custom_model", {"modelArn": MODEL_ARN}, sent)
    assert driver_for("CustomModel").create("demo-x", request, "digest", TAGS) == MODEL_ARN


def _list_models(stub: Stubber, *names: str) -> None:
    summaries = [
        {
            "modelArn": MODEL_ARN,
            "modelName": name,
            "creationTime": MODEL["creationTime"],
            "baseModelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
            "baseModelName": "Nova Lite",
        }
        for name in names
    ]
    listed = {"nameContains": "demo-x", "maxResults": 1000}
    stub.add_response("list_custom_models", {"modelSummaries": summaries}, listed)


def _list_deployments(stub: Stubber, *names: str) -> None:
    summaries = [
        {
            "customModelDeploymentArn": DEPLOYMENT_ARN,
            "customModelDeploymentName": name,
            "modelArn": MODEL_ARN,
            "createdAt": DEPLOYMENT["createdAt"],
            "status": "Creating",
        }
        for name in names
    ]
    listed = {"nameContains": "demo-x", "maxResults": 1000}
    stub.add_response("list_custom_model_deployments", {"modelDeploymentSummaries": summaries}, listed)


@pytest.mark.parametrize("code", ["ConflictException", "ValidationException"])
def test_a_name_in_use_is_told_by_looking_it_up(bedrock: Stubber, code: str) -> None:
    _refuse(bedrock, "create_custom_model_deployment", code)
    _list_deployments(bedrock, "demo-x-other", "demo-x")
    with pytest.raises(NameTaken):
        driver_for("CustomModelDeployment").create("demo-x", {"modelArn": MODEL_ARN}, "d", {})


@pytest.mark.parametrize(
    ("code", "error"), [("ValidationException", InvalidRequest), ("ServiceQuotaExceededException", QuotaExceeded)]
)
def test_a_refused_custom_model(bedrock: Stubber, code: str, error: type[Exception]) -> None:
    _refuse(bedrock, "create_custom_model", code)
    _list_models(bedrock, "demo-x-other")
    with pytest.raises(error):
        driver_for("CustomModel").create("demo-x", {}, "d", {})


@pytest.mark.parametrize(
    ("service", "status"),
    [("Creating", JobStatus.RUNNING), ("Active", JobStatus.COMPLETED), ("Failed", JobStatus.FAILED)],
)
def test_what_the_status_of_a_model_and_a_deployment_means(bedrock: Stubber, service: str, status: JobStatus) -> None:
    answer = {**MODEL, "modelStatus": service, "failureMessage": "why"}
    bedrock.add_response("get_custom_model", answer, {"modelIdentifier": MODEL_ARN})
    _list_deployments(bedrock, "demo-x")
    identifier = {"customModelDeploymentIdentifier": DEPLOYMENT_ARN}
    bedrock.add_response("get_custom_model_deployment", {**DEPLOYMENT, "status": service}, identifier)
    model = driver_for("CustomModel").describe(replace(_row("CustomModel"), arn=MODEL_ARN))
    deployment = driver_for("CustomModelDeployment").describe(_row("CustomModelDeployment"))
    assert (model.status, model.arn, model.cause) == (status, MODEL_ARN, "why")
    assert (deployment.status, deployment.arn) == (status, DEPLOYMENT_ARN)
    completed = status is JobStatus.COMPLETED
    assert model.output == ({"model_arn": MODEL_ARN} if completed else {})
    assert deployment.output == ({"deployment_arn": DEPLOYMENT_ARN, "name": "demo-x"} if completed else {})


def test_what_was_never_made_or_is_gone_is_told_so(bedrock: Stubber) -> None:
    _list_models(bedrock)
    assert driver_for("CustomModel").describe(_row("CustomModel")).status is JobStatus.GONE
    _refuse(bedrock, "get_custom_model", "ResourceNotFoundException")
    assert driver_for("CustomModel").describe(replace(_row("CustomModel"), arn=MODEL_ARN)).status is JobStatus.GONE


def test_a_denial_means_gone_only_if_nothing_bears_the_name(bedrock: Stubber) -> None:
    row = replace(_row("CustomModelDeployment"), arn=DEPLOYMENT_ARN)
    _refuse(bedrock, "get_custom_model_deployment", "AccessDeniedException")
    _list_deployments(bedrock)
    assert driver_for("CustomModelDeployment").describe(row).status is JobStatus.GONE
    _refuse(bedrock, "get_custom_model_deployment", "AccessDeniedException")
    _list_deployments(bedrock, "demo-x")
    with pytest.raises(ClientError, match="AccessDenied"):
        driver_for("CustomModelDeployment").describe(row)


@pytest.mark.parametrize("code", ["ConflictException", "ResourceNotFoundException"])
def test_deleting_what_is_gone_or_not_yet_deletable_is_success(bedrock: Stubber, code: str) -> None:
    _refuse(bedrock, "delete_custom_model", code)
    driver_for("CustomModel").stop(replace(_row("CustomModel"), arn=MODEL_ARN))
    _list_deployments(bedrock, "demo-x")
    _refuse(bedrock, "delete_custom_model_deployment", code)
    driver_for("CustomModelDeployment").stop(_row("CustomModelDeployment"))
    _list_models(bedrock)
    driver_for("CustomModel").stop(_row("CustomModel"))


def test_the_digest_of_a_model_is_read_from_its_tags(bedrock: Stubber) -> None:
    _list_models(bedrock, "demo-x")
    tags = {"tags": [{"key": DIGEST_TAG, "value": "digest"}]}
    bedrock.add_response("list_tags_for_resource", tags, {"resourceARN": MODEL_ARN})
    assert driver_for("CustomModel").digest_of(_row("CustomModel")) == "digest"


def test_clients_are_made_once() -> None:
    assert aws.client("sagemaker") is aws.client("sagemaker")
