"""Amazon Bedrock deployments of custom models for on-demand inference."""

from __future__ import annotations

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
    "Active": JobStatus.COMPLETED,
    "Failed": JobStatus.FAILED,
}


class CustomModelDeployments:
    """Deploy custom models.

    Calls bedrock: Create-, Get-, List-, DeleteCustomModelDeployment and
    ListTagsForResource. To stop is to delete the deployment as soon as that is allowed.
    """

    kind = "CustomModelDeployment"
    name_limit = 63
    stop_deletes = True

    def create(self, name: str, request: Mapping[str, Any], digest: str, tags: Mapping[str, str]) -> str:
        """Start deploying and return the deployment's ARN; raise NameTaken, QuotaExceeded or InvalidRequest."""
        try:
            with service_errors():
                answer = client("bedrock").create_custom_model_deployment(
                    **request,
                    modelDeploymentName=name,
                    tags=bedrock.tag_list(tags),
                    clientRequestToken=client_token(name, digest),
                )
        except Exception as error:
            raise bedrock.refusal(name, error, lambda: deployment_arn(name) is not None) from error
        return str(answer["customModelDeploymentArn"])

    def instances_of(self, request: Mapping[str, Any]) -> None:
        """Return None: Amazon Bedrock names no instances of a deployment."""

    def digest_of(self, row: JobRow) -> str | None:
        """Return the request digest the deployment of that name is tagged with, or None."""
        arn = deployment_arn(row.job_name)
        return None if arn is None else bedrock.digest(arn)

    def describe(self, row: JobRow) -> JobState:
        """Return the state of the row's deployment, GONE if there is none."""
        deployment = bedrock.find(
            lambda arn: dict(client("bedrock").get_custom_model_deployment(customModelDeploymentIdentifier=arn)),
            row.arn,
            lambda: bedrock.made_by(row, deployment_arn(row.job_name)),
        )
        if deployment is None:
            return JobState(status=JobStatus.GONE)
        arn = str(deployment["customModelDeploymentArn"])
        status = _STATUS.get(deployment["status"], JobStatus.RUNNING)
        serving = {"deployment_arn": arn, "name": deployment["modelDeploymentName"]}
        output = serving if status is JobStatus.COMPLETED else {}
        return JobState(status=status, arn=arn, output=output, cause=deployment.get("failureMessage", ""))

    def stop(self, row: JobRow) -> None:
        """Delete the deployment; success if it is gone or cannot be deleted yet."""
        bedrock.delete(
            lambda arn: client("bedrock").delete_custom_model_deployment(customModelDeploymentIdentifier=arn),
            row.arn,
            lambda: bedrock.made_by(row, deployment_arn(row.job_name)),
        )


def deployment_arn(name: str) -> str | None:
    """Return the ARN of the deployment of that name, or None.

    By listing: the policies bind every other call to the deployment's tag, which a free name does not carry.
    """
    with service_errors():
        answer = client("bedrock").list_custom_model_deployments(nameContains=name, maxResults=1000)
    found = answer["modelDeploymentSummaries"]
    names = {each["customModelDeploymentName"]: str(each["customModelDeploymentArn"]) for each in found}
    return names.get(name)
