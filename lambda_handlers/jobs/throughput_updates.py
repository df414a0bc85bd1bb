"""Other models behind provisioned throughput that stays: its ARN does not change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lambda_handlers.jobs import bedrock
from lambda_handlers.jobs.driver import RUN_TAG, JobState, JobStatus
from lambda_handlers.jobs.throughputs import get_throughput, throughput_arn
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.errors import InvalidRequest, TransientServiceError, service_errors
from lambda_handlers.protocol.names import request_digest

if TYPE_CHECKING:
    from lambda_handlers.protocol.registry import JobRow


class ThroughputUpdates:
    """Put another model behind provisioned throughput. The name of such a job is that of the throughput.

    Calls bedrock: Update-, Get-, ListProvisionedModelThroughput(s), TagResource and ListTagsForResource. The service
    takes no token for an update and gives it no id: a request whose model is desired already is that update. To stop
    is to put the model before it back as soon as an update is allowed, unless a later run has taken the update over.
    """

    kind = "ThroughputUpdate"
    name_limit = 63
    stop_deletes = True

    def create(self, name: str, request: Mapping[str, Any], digest: str, tags: Mapping[str, str]) -> str:
        """Start the update and return the ARN of the throughput; nothing is sent where the model is desired already.

        Raises InvalidRequest, or TransientServiceError while another update goes on.
        """
        del digest  # an update has no name that could be taken
        arn, target = str(request["provisionedModelId"]), str(request["desiredModelId"])
        found = get_throughput(arn)
        if found["desiredModelArn"] == target and found["status"] != "Failed":
            bedrock.take_over_update(arn, tags[RUN_TAG])
            return arn
        if found["status"] == "Updating":
            coming = found["desiredModelArn"]
            raise TransientServiceError(f"The throughput {name} is being updated to {coming}; that has to end first.")
        bedrock.begin_update(arn, tags[RUN_TAG], str(found["modelArn"]))
        try:
            _update(name, arn, target)
        except InvalidRequest:
            # The client tries again where an answer was lost: the first try may have been taken.
            if get_throughput(arn)["desiredModelArn"] != target:
                raise
        return arn

    def instances_of(self, request: Mapping[str, Any]) -> None:
        """Return None: model units are no instances."""

    def digest_of(self, row: JobRow) -> None:
        """Return None: no update has a name that could be taken."""

    def describe(self, row: JobRow) -> JobState:
        """Return the state of the row's update, GONE if another model is desired, or another run desires it."""
        found = bedrock.find(get_throughput, row.arn, lambda: throughput_arn(row.job_name))
        if found is None:
            return JobState(status=JobStatus.GONE)
        arn, desired = str(found["provisionedModelArn"]), str(found["desiredModelArn"])
        if bedrock.updated_by(arn) != row.run_id:
            return JobState(status=JobStatus.GONE, arn=arn)
        if not _is_of(row, arn, desired):
            # While the model before it is on its way back, that of the row is still there.
            there = _is_of(row, arn, str(found["modelArn"]))
            return JobState(status=JobStatus.COMPLETED if there else JobStatus.GONE, arn=arn)
        if found["status"] == "Failed":
            return JobState(status=JobStatus.FAILED, arn=arn, cause=found.get("failureMessage", ""))
        if found["status"] != "InService" or found["modelArn"] != desired:
            return JobState(status=JobStatus.RUNNING, arn=arn)
        output = {"deployment_arn": arn, "name": found["provisionedModelName"]}
        return JobState(status=JobStatus.COMPLETED, arn=arn, output=output)

    def stop(self, row: JobRow) -> None:
        """Put the model before the update back; success if that is done, or cannot be done yet."""
        found = bedrock.find(get_throughput, row.arn, lambda: throughput_arn(row.job_name))
        if found is None or found["status"] != "InService":
            return
        arn = str(found["provisionedModelArn"])
        before = bedrock.previous_model(arn)
        ours = _is_of(row, arn, str(found["desiredModelArn"])) and bedrock.updated_by(arn) == row.run_id
        if before and before != found["modelArn"] and ours:
            _update(row.job_name, arn, before)


def update_request(throughput: str, model_arn: str) -> dict[str, Any]:
    """Return the body of UpdateProvisionedModelThroughput."""
    return {"provisionedModelId": throughput, "desiredModelId": model_arn}


def _update(name: str, arn: str, model_arn: str) -> None:
    try:
        with service_errors():
            client("bedrock").update_provisioned_model_throughput(**update_request(arn, model_arn))
    except Exception as error:
        raise bedrock.refusal(name, error, lambda: False) from error


def _is_of(row: JobRow, arn: str, model_arn: str) -> bool:
    return request_digest(update_request(arn, model_arn)) == row.digest
