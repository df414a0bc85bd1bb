"""Other models behind on-demand deployments that stay: the deployment's ARN does not change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lambda_handlers.jobs import bedrock
from lambda_handlers.jobs.deployments import deployment_arn
from lambda_handlers.jobs.driver import RUN_TAG, JobState, JobStatus
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.errors import InvalidRequest, TransientServiceError, service_errors
from lambda_handlers.protocol.names import request_digest

if TYPE_CHECKING:
    from lambda_handlers.protocol.registry import JobRow

_STATUS: Final[Mapping[str, JobStatus]] = {
    "UpdateCompleted": JobStatus.COMPLETED,
    "UpdateFailed": JobStatus.FAILED,
}


class DeploymentUpdates:
    """Put another model behind a deployment. The name of such a job is the deployment's.

    Calls bedrock: Update-, Get-, ListCustomModelDeployment(s), TagResource and ListTagsForResource. The service takes
    no token for an update and gives it no id: a request whose model is there, or on its way, is that update. While it
    goes on the deployment answers with the model before it. To stop is to put that model back as soon as an update is
    allowed, unless a later run has taken the update over: it wants the same model, and has the tag say so.
    """

    kind = "DeploymentUpdate"
    name_limit = 63
    stop_deletes = True

    def create(self, name: str, request: Mapping[str, Any], digest: str, tags: Mapping[str, str]) -> str:
        """Start the update and return the deployment's ARN; nothing is sent where the model is there already.

        Raises InvalidRequest, or TransientServiceError while another update goes on.
        """
        del digest  # an update has no name that could be taken
        arn, target = str(request["customModelDeploymentIdentifier"]), str(request["modelArn"])
        found = _get(arn)
        coming = _coming(found)
        if coming and coming != target:
            raise TransientServiceError(f"The deployment {name} is being updated to {coming}; that has to end first.")
        if target in (coming, found["modelArn"]):
            bedrock.take_over_update(arn, tags[RUN_TAG])
        else:
            bedrock.begin_update(arn, tags[RUN_TAG], str(found["modelArn"]))
            try:
                _update(name, arn, target)
            except InvalidRequest:
                # The client tries again where an answer was lost: the first try may have been taken.
                if _coming(_get(arn)) != target:
                    raise
        return arn

    def instances_of(self, request: Mapping[str, Any]) -> None:
        """Return None: Amazon Bedrock names no instances of a deployment."""

    def digest_of(self, row: JobRow) -> None:
        """Return None: no update has a name that could be taken."""

    def describe(self, row: JobRow) -> JobState:
        """Return the state of the row's update, GONE if the deployment neither has nor gets its model from its run."""
        found = bedrock.find(_get, row.arn, lambda: deployment_arn(row.job_name))
        if found is None:
            return JobState(status=JobStatus.GONE)
        arn, details = str(found["customModelDeploymentArn"]), found.get("updateDetails")
        if details and _is_of(row, arn, details["modelArn"]):
            status = _STATUS.get(details["updateStatus"], JobStatus.RUNNING)
        elif _is_of(row, arn, found["modelArn"]):
            status = JobStatus.COMPLETED
        else:
            return JobState(status=JobStatus.GONE, arn=arn)
        if bedrock.updated_by(arn) != row.run_id:
            return JobState(status=JobStatus.GONE, arn=arn)
        output = {"deployment_arn": arn, "name": found["modelDeploymentName"]} if status is JobStatus.COMPLETED else {}
        return JobState(status=status, arn=arn, output=output, cause=found.get("failureMessage", ""))

    def stop(self, row: JobRow) -> None:
        """Put the model before the update back; success if that is done, or cannot be done yet."""
        found = bedrock.find(_get, row.arn, lambda: deployment_arn(row.job_name))
        if found is None or _coming(found):
            return
        arn = str(found["customModelDeploymentArn"])
        before = bedrock.previous_model(arn)
        ours = _is_of(row, arn, found["modelArn"]) and bedrock.updated_by(arn) == row.run_id
        if before and before != found["modelArn"] and ours:
            _update(row.job_name, arn, before)


def update_request(deployment: str, model_arn: str) -> dict[str, Any]:
    """Return the body of UpdateCustomModelDeployment."""
    return {"customModelDeploymentIdentifier": deployment, "modelArn": model_arn}


def _get(arn: str) -> Mapping[str, Any]:
    with service_errors():
        return dict(client("bedrock").get_custom_model_deployment(customModelDeploymentIdentifier=arn))


def _coming(deployment: Mapping[str, Any]) -> str | None:
    details = deployment.get("updateDetails") or {}
    return str(details["modelArn"]) if details.get("updateStatus") == "Updating" else None


def _update(name: str, arn: str, model_arn: str) -> None:
    try:
        with service_errors():
            client("bedrock").update_custom_model_deployment(**update_request(arn, model_arn))
    except Exception as error:
        raise bedrock.refusal(name, error, lambda: False) from error


def _is_of(row: JobRow, arn: str, model_arn: str) -> bool:
    return request_digest(update_request(arn, model_arn)) == row.digest
