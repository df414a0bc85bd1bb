"""Amazon Bedrock provisioned throughput for custom models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lambda_handlers.jobs import bedrock
from lambda_handlers.jobs.driver import JobState, JobStatus
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.errors import service_errors
from lambda_handlers.protocol.names import client_token

if TYPE_CHECKING:
    from lambda_handlers.protocol.registry import JobRow

_STATUS: Final[Mapping[str, JobStatus]] = {
    "Creating": JobStatus.RUNNING,
    "InService": JobStatus.COMPLETED,
    "Updating": JobStatus.COMPLETED,
    "Failed": JobStatus.FAILED,
}


class ProvisionedThroughputs:
    """Provision throughput for custom models.

    Calls bedrock: Create-, Get-, List-, DeleteProvisionedModelThroughput(s) and ListTagsForResource. To stop is to
    delete it as soon as that is allowed: not while it is being made, and not before a commitment has ended
    (DeleteProvisionedModelThroughput), which `describe` tells.
    """

    kind = "ProvisionedThroughput"
    name_limit = 63
    stop_deletes = True

    def create(self, name: str, request: Mapping[str, Any], digest: str, tags: Mapping[str, str]) -> str:
        """Start provisioning and return its ARN; raise NameTaken, QuotaExceeded or InvalidRequest."""
        try:
            with service_errors():
                answer = client("bedrock").create_provisioned_model_throughput(
                    **request,
                    provisionedModelName=name,
                    tags=bedrock.tag_list(tags),
                    clientRequestToken=client_token(name, digest),
                )
        except Exception as error:
            raise bedrock.refusal(name, error, lambda: throughput_arn(name) is not None) from error
        return str(answer["provisionedModelArn"])

    def instances_of(self, request: Mapping[str, Any]) -> None:
        """Return None: model units are no instances."""

    def digest_of(self, row: JobRow) -> str | None:
        """Return the request digest that what has the name is tagged with, or None."""
        arn = throughput_arn(row.job_name)
        return None if arn is None else bedrock.digest(arn)

    def describe(self, row: JobRow) -> JobState:
        """Return the state of the row's throughput, GONE if there is none."""
        found = bedrock.find(get_throughput, row.arn, lambda: bedrock.made_by(row, throughput_arn(row.job_name)))
        if found is None:
            return JobState(status=JobStatus.GONE)
        arn, status = str(found["provisionedModelArn"]), _STATUS.get(found["status"], JobStatus.RUNNING)
        output = {"deployment_arn": arn, "name": found["provisionedModelName"]} if status is JobStatus.COMPLETED else {}
        cause, until = found.get("failureMessage", ""), found.get("commitmentExpirationTime")
        held_until = math.ceil(until.timestamp()) if until else 0
        return JobState(status=status, arn=arn, output=output, cause=cause, held_until=held_until)

    def stop(self, row: JobRow) -> None:
        """Delete the throughput; success if it is gone or cannot be deleted yet."""
        bedrock.delete(
            lambda arn: client("bedrock").delete_provisioned_model_throughput(provisionedModelId=arn),
            row.arn,
            lambda: bedrock.made_by(row, throughput_arn(row.job_name)),
        )


def get_throughput(arn: str) -> Mapping[str, Any]:
    """Return what GetProvisionedModelThroughput answers."""
    with service_errors():
        return dict(client("bedrock").get_provisioned_model_throughput(provisionedModelId=arn))


def throughput_arn(name: str) -> str | None:
    """Return the ARN of the provisioned throughput of that name, or None; by listing, as for deployments."""
    with service_errors():
        answer = client("bedrock").list_provisioned_model_throughputs(nameContains=name, maxResults=1000)
    found = answer["provisionedModelSummaries"]
    return {each["provisionedModelName"]: str(each["provisionedModelArn"]) for each in found}.get(name)
