"""The calls of the driver of Amazon Bedrock batch inference jobs, and what the answers mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from lambda_handlers.jobs import JobStatus, NameTaken, driver_for
from lambda_handlers.jobs.driver import DIGEST_TAG
from lambda_handlers.protocol.errors import InvalidRequest, QuotaExceeded
from lambda_handlers.protocol.names import client_token
from tests.jobs.test_job_drivers import _row

ARN = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/abcdefghij12"
REQUEST: dict[str, Any] = {
    "modelId": "amazon.nova-2-lite-v1:0",
    "roleArn": "arn:aws:iam::123456789012:role/batch",
    "inputDataConfig": {"s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": "s3://bucket/records.jsonl"}},
    "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://bucket/jobs/"}},
}
JOB = {**REQUEST, "jobArn": ARN, "jobName": "demo-x", "submitTime": datetime(2026, 1, 1, tzinfo=UTC)}
DRIVER = driver_for("ModelInvocationJob")
ROW = replace(_row("ModelInvocationJob"), arn=ARN)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    client = boto3.client("bedrock", region_name="us-east-1")
    for module in ("bedrock", "invocation_jobs"):
        monkeypatch.setattr(f"lambda_handlers.jobs.{module}.client", lambda _: client)
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def listed(stub: Stubber, *names: str) -> None:
    found = [{**JOB, "jobName": name} for name in names]
    asked = {"nameContains": "demo-x", "maxResults": 1000}
    stub.add_response("list_model_invocation_jobs", {"invocationJobSummaries": found}, asked)


def test_a_job_is_created_with_a_token_of_name_and_digest(stub: Stubber) -> None:
    sent = {**REQUEST, "jobName": "demo-x", "tags": [{"key": DIGEST_TAG, "value": "d"}]}
    sent["clientRequestToken"] = client_token("demo-x", "d")
    stub.add_response("create_model_invocation_job", {"jobArn": ARN}, sent)
    assert DRIVER.create("demo-x", REQUEST, "d", {DIGEST_TAG: "d"}) == ARN
    assert (DRIVER.kind, DRIVER.name_limit, DRIVER.stop_deletes) == ("ModelInvocationJob", 63, False)


@pytest.mark.parametrize(
    ("code", "exists", "error"),
    [
        ("ConflictException", True, NameTaken),
        ("ValidationException", False, InvalidRequest),
        ("ServiceQuotaExceededException", False, QuotaExceeded),
    ],
)
def test_what_a_refusal_means(stub: Stubber, code: str, exists: bool, error: type[Exception]) -> None:
    stub.add_client_error("create_model_invocation_job", code, "no", 400)
    listed(stub, *(["demo-x"] if exists else ["demo-xy"]))
    with pytest.raises(error):
        DRIVER.create("demo-x", REQUEST, "d", {})


@pytest.mark.parametrize(
    ("status", "means", "error"),
    [
        ("Submitted", JobStatus.RUNNING, ""),
        ("Validating", JobStatus.RUNNING, ""),
        ("Scheduled", JobStatus.RUNNING, ""),
        ("InProgress", JobStatus.RUNNING, ""),
        ("Stopping", JobStatus.RUNNING, ""),
        ("Completed", JobStatus.COMPLETED, ""),
        ("PartiallyCompleted", JobStatus.COMPLETED, ""),
        ("Failed", JobStatus.FAILED, ""),
        ("Stopped", JobStatus.STOPPED, ""),
        ("Expired", JobStatus.FAILED, "JobTimedOut"),
    ],
)
def test_what_a_status_means(stub: Stubber, status: str, means: JobStatus, error: str) -> None:
    stub.add_response("get_model_invocation_job", {**JOB, "status": status, "message": "why"}, {"jobIdentifier": ARN})
    state = DRIVER.describe(ROW)
    assert (state.status, state.error, state.cause, state.arn) == (means, error, "why", ARN)
    done = means is JobStatus.COMPLETED
    assert state.output == ({"output_uri": "s3://bucket/jobs/abcdefghij12/"} if done else {})


def test_a_job_that_is_not_there_is_gone(stub: Stubber) -> None:
    stub.add_client_error("get_model_invocation_job", "ResourceNotFoundException", "", 404)
    assert DRIVER.describe(ROW).status is JobStatus.GONE
    listed(stub, "demo-xy")
    assert DRIVER.describe(replace(ROW, arn="")).status is JobStatus.GONE


def test_the_digest_is_read_from_the_tags_of_the_job_of_that_name(stub: Stubber) -> None:
    listed(stub, "demo-xy", "demo-x")
    stub.add_response("list_tags_for_resource", {"tags": [{"key": DIGEST_TAG, "value": "d"}]}, {"resourceARN": ARN})
    assert DRIVER.digest_of(ROW) == "d"
    listed(stub)
    assert DRIVER.digest_of(ROW) is None


@pytest.mark.parametrize("code", ["", "ConflictException", "ValidationException", "ResourceNotFoundException"])
def test_to_stop_succeeds_where_a_job_has_ended(stub: Stubber, code: str) -> None:
    if code:
        stub.add_client_error("stop_model_invocation_job", code, "", 400)
    else:
        stub.add_response("stop_model_invocation_job", {}, {"jobIdentifier": ARN})
    DRIVER.stop(ROW)


def test_another_fault_of_a_stop_is_passed_on_and_an_unknown_name_is_none(stub: Stubber) -> None:
    stub.add_client_error("stop_model_invocation_job", "AccessDeniedException", "", 403)
    with pytest.raises(Exception, match="AccessDenied"):
        DRIVER.stop(ROW)
    listed(stub)
    DRIVER.stop(replace(ROW, arn=""))
