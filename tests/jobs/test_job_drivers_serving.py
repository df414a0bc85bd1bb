"""The calls of the drivers of provisioned throughput and of updates, and what the services' answers mean."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from lambda_handlers.jobs import JobStatus, NameTaken, deployment_updates, driver_for, throughput_updates
from lambda_handlers.jobs.driver import PREVIOUS_MODEL_TAG, RUN_TAG, UPDATE_TAG
from lambda_handlers.protocol.errors import InvalidRequest, QuotaExceeded, TransientServiceError
from lambda_handlers.protocol.names import client_token, request_digest
from lambda_handlers.protocol.registry import JobRow
from tests.jobs.test_job_drivers import DEPLOYMENT, DEPLOYMENT_ARN, MODEL_ARN, TAGS, _list_deployments, _row, bedrock

__all__ = ["bedrock"]
NEW = MODEL_ARN.replace("abcdefghij12", "newnewnewnew")
OTHER = MODEL_ARN.replace("abcdefghij12", "otherother12")
BASE = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"
THROUGHPUT_ARN = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghij12"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
THROUGHPUT: dict[str, Any] = {
    "provisionedModelName": "demo-x",
    "provisionedModelArn": THROUGHPUT_ARN,
    "modelArn": MODEL_ARN,
    "desiredModelArn": MODEL_ARN,
    "foundationModelArn": BASE,
    "modelUnits": 1,
    "desiredModelUnits": 1,
    "status": "InService",
    "creationTime": NOW,
    "lastModifiedTime": NOW,
}
UPDATE = deployment_updates.update_request(DEPLOYMENT_ARN, NEW)
CHANGE = throughput_updates.update_request(THROUGHPUT_ARN, NEW)


def details(model: str, status: str) -> dict[str, Any]:
    return {"updateDetails": {"modelArn": model, "updateStatus": status}}


def shows(stub: Stubber, **changes: Any) -> None:
    answer = {**DEPLOYMENT, "status": "Active", **changes}
    identifier = {"customModelDeploymentIdentifier": DEPLOYMENT_ARN}
    stub.add_response("get_custom_model_deployment", answer, identifier)


def serves(stub: Stubber, **changes: Any) -> None:
    stub.add_response(
        "get_provisioned_model_throughput", {**THROUGHPUT, **changes}, {"provisionedModelId": THROUGHPUT_ARN}
    )


def listed(stub: Stubber, *names: str) -> None:
    summaries = [{**THROUGHPUT, "provisionedModelName": name} for name in names]
    asked = {"nameContains": "demo-x", "maxResults": 1000}
    stub.add_response("list_provisioned_model_throughputs", {"provisionedModelSummaries": summaries}, asked)


def remembers(stub: Stubber, arn: str, model: str | None, by: str = "") -> None:
    """Answer with the tags of an update, as often as a look at it asks for them."""
    tags = [{"key": PREVIOUS_MODEL_TAG, "value": model}] if model else []
    stub.add_response("list_tags_for_resource", {"tags": tags}, {"resourceARN": arn})
    if by:
        updated(stub, arn, by)


def updated(stub: Stubber, arn: str, by: str = "r1") -> None:
    answer = {"tags": [{"key": UPDATE_TAG, "value": by}]}
    stub.add_response("list_tags_for_resource", answer, {"resourceARN": arn})


def tagged(arn: str, model: str | None = MODEL_ARN) -> dict[str, Any]:
    """Return what an update of run r1 is noted by."""
    tags = [{"key": PREVIOUS_MODEL_TAG, "value": model}] if model else []
    return {"resourceARN": arn, "tags": [*tags, {"key": UPDATE_TAG, "value": "r1"}]}


def row(kind: str, request: dict[str, Any], arn: str = "") -> JobRow:
    return replace(_row(kind), digest=request_digest(request), arn=arn)


def test_an_update_remembers_the_model_it_takes_away(bedrock: Stubber) -> None:
    shows(bedrock)
    bedrock.add_response("tag_resource", {}, tagged(DEPLOYMENT_ARN))
    bedrock.add_response("update_custom_model_deployment", {"customModelDeploymentArn": DEPLOYMENT_ARN}, UPDATE)
    assert driver_for("DeploymentUpdate").create("demo-x", UPDATE, "d", TAGS) == DEPLOYMENT_ARN


@pytest.mark.parametrize("changes", [{"modelArn": NEW}, details(NEW, "Updating")])
def test_an_update_that_is_done_or_on_its_way_is_not_sent_again(bedrock: Stubber, changes: dict[str, Any]) -> None:
    shows(bedrock, **changes)
    updated(bedrock, DEPLOYMENT_ARN)
    assert driver_for("DeploymentUpdate").create("demo-x", UPDATE, "d", TAGS) == DEPLOYMENT_ARN


def test_another_update_has_to_end_first(bedrock: Stubber) -> None:
    shows(bedrock, **details(OTHER, "Updating"))
    with pytest.raises(TransientServiceError, match="being updated"):
        driver_for("DeploymentUpdate").create("demo-x", UPDATE, "d", TAGS)
    serves(bedrock, desiredModelArn=OTHER, status="Updating")
    with pytest.raises(TransientServiceError, match="being updated"):
        driver_for("ThroughputUpdate").create("demo-x", CHANGE, "d", TAGS)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        (details(NEW, "Updating"), JobStatus.RUNNING),
        ({"modelArn": NEW, **details(NEW, "UpdateCompleted")}, JobStatus.COMPLETED),
        (details(NEW, "UpdateFailed") | {"failureMessage": "why"}, JobStatus.FAILED),
        ({"modelArn": NEW}, JobStatus.COMPLETED),
        # The newest update is another's; while the model put back is on its way, ours is still there.
        ({"modelArn": NEW, **details(MODEL_ARN, "Updating")}, JobStatus.COMPLETED),
        (details(MODEL_ARN, "UpdateCompleted"), JobStatus.GONE),
        ({}, JobStatus.GONE),
    ],
)
def test_what_a_deployment_says_of_an_update(bedrock: Stubber, changes: dict[str, Any], status: JobStatus) -> None:
    shows(bedrock, **changes)
    if status is not JobStatus.GONE:
        updated(bedrock, DEPLOYMENT_ARN)
    found = driver_for("DeploymentUpdate").describe(row("DeploymentUpdate", UPDATE, DEPLOYMENT_ARN))
    assert (found.status, found.arn) == (status, DEPLOYMENT_ARN)
    assert found.cause == ("why" if status is JobStatus.FAILED else "")
    expected = {"deployment_arn": DEPLOYMENT_ARN, "name": "demo-x"} if status is JobStatus.COMPLETED else {}
    assert found.output == expected


def test_the_deployment_of_an_update_is_found_by_its_name(bedrock: Stubber) -> None:
    _list_deployments(bedrock, "demo-x")
    shows(bedrock, modelArn=NEW)
    updated(bedrock, DEPLOYMENT_ARN)
    assert driver_for("DeploymentUpdate").describe(row("DeploymentUpdate", UPDATE)).status is JobStatus.COMPLETED


def test_stopping_an_update_puts_the_model_before_it_back(bedrock: Stubber) -> None:
    shows(bedrock, modelArn=NEW)
    remembers(bedrock, DEPLOYMENT_ARN, MODEL_ARN, by="r1")
    back = deployment_updates.update_request(DEPLOYMENT_ARN, MODEL_ARN)
    bedrock.add_response("update_custom_model_deployment", {"customModelDeploymentArn": DEPLOYMENT_ARN}, back)
    driver_for("DeploymentUpdate").stop(row("DeploymentUpdate", UPDATE, DEPLOYMENT_ARN))
    serves(bedrock, modelArn=NEW, desiredModelArn=NEW)
    remembers(bedrock, THROUGHPUT_ARN, MODEL_ARN, by="r1")
    back = throughput_updates.update_request(THROUGHPUT_ARN, MODEL_ARN)
    bedrock.add_response("update_provisioned_model_throughput", {}, back)
    driver_for("ThroughputUpdate").stop(row("ThroughputUpdate", CHANGE, THROUGHPUT_ARN))


def test_nothing_is_put_back_twice_early_or_over_anothers_model(bedrock: Stubber) -> None:
    update = row("DeploymentUpdate", UPDATE, DEPLOYMENT_ARN)
    shows(bedrock, modelArn=NEW, **details(MODEL_ARN, "Updating"))
    driver_for("DeploymentUpdate").stop(update)
    shows(bedrock, modelArn=OTHER)
    remembers(bedrock, DEPLOYMENT_ARN, MODEL_ARN)
    driver_for("DeploymentUpdate").stop(update)
    change = row("ThroughputUpdate", CHANGE, THROUGHPUT_ARN)
    serves(bedrock, modelArn=NEW, desiredModelArn=MODEL_ARN, status="Updating")
    driver_for("ThroughputUpdate").stop(change)
    serves(bedrock, modelArn=OTHER, desiredModelArn=OTHER)
    remembers(bedrock, THROUGHPUT_ARN, MODEL_ARN)
    driver_for("ThroughputUpdate").stop(change)


def test_throughput_is_made_under_its_name_with_token_and_tags(bedrock: Stubber) -> None:
    request = {"modelId": MODEL_ARN, "modelUnits": 2, "commitmentDuration": "OneMonth"}
    sent = {
        **request,
        "provisionedModelName": "demo-x",
        "tags": [{"key": key, "value": value} for key, value in TAGS.items()],
        "clientRequestToken": client_token("demo-x", "digest"),
    }
    bedrock.add_response("create_provisioned_model_throughput", {"provisionedModelArn": THROUGHPUT_ARN}, sent)
    assert driver_for("ProvisionedThroughput").create("demo-x", request, "digest", TAGS) == THROUGHPUT_ARN


@pytest.mark.parametrize(
    ("code", "names", "error"),
    [
        ("ValidationException", ["demo-x"], NameTaken),
        ("ValidationException", ["demo-x-other"], InvalidRequest),
        ("ServiceQuotaExceededException", [], QuotaExceeded),
    ],
)
def test_refused_throughput(bedrock: Stubber, code: str, names: list[str], error: type[Exception]) -> None:
    bedrock.add_client_error("create_provisioned_model_throughput", code)
    listed(bedrock, *names)
    with pytest.raises(error):
        driver_for("ProvisionedThroughput").create("demo-x", {"modelId": MODEL_ARN, "modelUnits": 1}, "d", {})


@pytest.mark.parametrize(
    ("service", "status"),
    [
        ("Creating", JobStatus.RUNNING),
        ("InService", JobStatus.COMPLETED),
        ("Updating", JobStatus.COMPLETED),
        ("Failed", JobStatus.FAILED),
    ],
)
def test_what_the_status_of_throughput_means(bedrock: Stubber, service: str, status: JobStatus) -> None:
    listed(bedrock, "demo-x")
    serves(bedrock, status=service, failureMessage="why")
    found = driver_for("ProvisionedThroughput").describe(_row("ProvisionedThroughput"))
    assert (found.status, found.arn, found.cause) == (status, THROUGHPUT_ARN, "why")


@pytest.mark.parametrize(("until", "held"), [({}, 0), ({"commitmentExpirationTime": NOW}, 1767225600)])
def test_throughput_says_until_when_it_is_committed(bedrock: Stubber, until: dict[str, Any], held: int) -> None:
    serves(bedrock, **until)
    found = driver_for("ProvisionedThroughput").describe(replace(_row("ProvisionedThroughput"), arn=THROUGHPUT_ARN))
    assert (found.status, found.held_until) == (JobStatus.COMPLETED, held)


def test_throughput_under_commitment_is_deleted_later(bedrock: Stubber) -> None:
    bedrock.add_client_error("delete_provisioned_model_throughput", "ConflictException")
    driver_for("ProvisionedThroughput").stop(replace(_row("ProvisionedThroughput"), arn=THROUGHPUT_ARN))


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"desiredModelArn": NEW, "status": "Updating"}, JobStatus.RUNNING),
        ({"desiredModelArn": NEW}, JobStatus.RUNNING),
        ({"desiredModelArn": NEW, "modelArn": NEW}, JobStatus.COMPLETED),
        ({"desiredModelArn": NEW, "status": "Failed"}, JobStatus.FAILED),
        ({}, JobStatus.GONE),
        ({"modelArn": NEW, "status": "Updating"}, JobStatus.COMPLETED),
    ],
)
def test_what_throughput_says_of_an_update(bedrock: Stubber, changes: dict[str, Any], status: JobStatus) -> None:
    serves(bedrock, **changes)
    updated(bedrock, THROUGHPUT_ARN)
    found = driver_for("ThroughputUpdate").describe(row("ThroughputUpdate", CHANGE, THROUGHPUT_ARN))
    assert (found.status, found.arn) == (status, THROUGHPUT_ARN)


def test_an_update_of_throughput_is_sent_once(bedrock: Stubber) -> None:
    serves(bedrock)
    bedrock.add_response("tag_resource", {}, tagged(THROUGHPUT_ARN))
    bedrock.add_response("update_provisioned_model_throughput", {}, CHANGE)
    driver = driver_for("ThroughputUpdate")
    assert driver.create("demo-x", CHANGE, "d", TAGS) == THROUGHPUT_ARN
    serves(bedrock, desiredModelArn=NEW, status="Updating")
    updated(bedrock, THROUGHPUT_ARN)
    assert driver.create("demo-x", CHANGE, "d", TAGS) == THROUGHPUT_ARN


@pytest.mark.parametrize("there", [{"modelArn": NEW}, details(NEW, "Updating")])
def test_an_update_that_an_earlier_run_began_is_taken_over(bedrock: Stubber, there: dict[str, Any]) -> None:
    """Else the earlier run, which was aborted, would put the model before it back under the feet of this one."""
    shows(bedrock, **there)
    updated(bedrock, DEPLOYMENT_ARN, by="r0")
    bedrock.add_response("tag_resource", {}, tagged(DEPLOYMENT_ARN, None))
    assert driver_for("DeploymentUpdate").create("demo-x", UPDATE, "d", TAGS) == DEPLOYMENT_ARN
    serves(bedrock, desiredModelArn=NEW, status="Updating")
    updated(bedrock, THROUGHPUT_ARN, by="r0")
    bedrock.add_response("tag_resource", {}, tagged(THROUGHPUT_ARN, None))
    assert driver_for("ThroughputUpdate").create("demo-x", CHANGE, "d", TAGS) == THROUGHPUT_ARN


def test_an_update_that_was_taken_over_is_gone_to_the_run_that_began_it(bedrock: Stubber) -> None:
    update, change = row("DeploymentUpdate", UPDATE, DEPLOYMENT_ARN), row("ThroughputUpdate", CHANGE, THROUGHPUT_ARN)
    shows(bedrock, modelArn=NEW)
    updated(bedrock, DEPLOYMENT_ARN, by="r2")
    assert driver_for("DeploymentUpdate").describe(update).status is JobStatus.GONE
    shows(bedrock, modelArn=NEW)
    remembers(bedrock, DEPLOYMENT_ARN, MODEL_ARN, by="r2")
    driver_for("DeploymentUpdate").stop(update)
    serves(bedrock, modelArn=NEW, desiredModelArn=NEW)
    updated(bedrock, THROUGHPUT_ARN, by="r2")
    assert driver_for("ThroughputUpdate").describe(change).status is JobStatus.GONE
    serves(bedrock, modelArn=NEW, desiredModelArn=NEW)
    remembers(bedrock, THROUGHPUT_ARN, MODEL_ARN, by="r2")
    driver_for("ThroughputUpdate").stop(change)


@pytest.mark.parametrize("kind", ["CustomModelDeployment", "ProvisionedThroughput"])
def test_what_another_run_made_under_the_name_of_all_is_not_looked_at_or_deleted(bedrock: Stubber, kind: str) -> None:
    named = replace(_row(kind), named=True)
    arn = DEPLOYMENT_ARN if kind == "CustomModelDeployment" else THROUGHPUT_ARN
    for ask in (driver_for(kind).describe, driver_for(kind).stop):
        _list_deployments(bedrock, "demo-x") if arn == DEPLOYMENT_ARN else listed(bedrock, "demo-x")
        tags = {"tags": [{"key": RUN_TAG, "value": "r2"}]}
        bedrock.add_response("list_tags_for_resource", tags, {"resourceARN": arn})
        answer = ask(named)
        assert answer is None or answer.status is JobStatus.GONE


def test_an_update_refused_since_a_lost_try_of_it_was_taken_is_that_update(bedrock: Stubber) -> None:
    for now, raises in (({"desiredModelArn": NEW, "status": "Updating"}, False), ({}, True)):
        serves(bedrock)
        bedrock.add_response("tag_resource", {})
        bedrock.add_client_error("update_provisioned_model_throughput", "ValidationException")
        serves(bedrock, **now)
        if raises:
            with pytest.raises(InvalidRequest):
                driver_for("ThroughputUpdate").create("demo-x", CHANGE, "d", TAGS)
        else:
            assert driver_for("ThroughputUpdate").create("demo-x", CHANGE, "d", TAGS) == THROUGHPUT_ARN
    for coming, raises in ((NEW, False), (OTHER, True)):
        shows(bedrock)
        bedrock.add_response("tag_resource", {})
        bedrock.add_client_error("update_custom_model_deployment", "ValidationException")
        shows(bedrock, **details(coming, "Updating"))
        if raises:
            with pytest.raises(InvalidRequest):
                driver_for("DeploymentUpdate").create("demo-x", UPDATE, "d", TAGS)
        else:
            assert driver_for("DeploymentUpdate").create("demo-x", UPDATE, "d", TAGS) == DEPLOYMENT_ARN
