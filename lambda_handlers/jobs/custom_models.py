"""Amazon Bedrock custom models made from a checkpoint."""

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

MORE_TAGS: Final = "tags"
"""Key of a request under which it has tags of its own, beside those of every job."""
_STATUS: Final[Mapping[str, JobStatus]] = {
    "Creating": JobStatus.RUNNING,
    "Active": JobStatus.COMPLETED,
    "Failed": JobStatus.FAILED,
}


class CustomModels:
    """Make custom models (bedrock: Create-, Get-, List-, DeleteCustomModel and ListTagsForResource).

    Being made cannot be stopped: to stop is to delete the model as soon as that is allowed.
    """

    kind = "CustomModel"
    name_limit = 63
    stop_deletes = True

    def create(self, name: str, request: Mapping[str, Any], digest: str, tags: Mapping[str, str]) -> str:
        """Start making the model and return its ARN; raise NameTaken, QuotaExceeded or InvalidRequest."""
        try:
            with service_errors():
                answer = client("bedrock").create_custom_model(
                    **{key: value for key, value in request.items() if key != MORE_TAGS},
                    modelName=name,
                    modelTags=bedrock.tag_list({**request.get(MORE_TAGS, {}), **tags}),
                    clientRequestToken=client_token(name, digest),
                )
        except Exception as error:
            raise bedrock.refusal(name, error, lambda: self._arn(name) is not None) from error
        return str(answer["modelArn"])

    def instances_of(self, request: Mapping[str, Any]) -> None:
        """Return None: Amazon Bedrock names no instances of a model."""

    def digest_of(self, row: JobRow) -> str | None:
        """Return the request digest the model of that name is tagged with, or None."""
        arn = self._arn(row.job_name)
        return None if arn is None else bedrock.digest(arn)

    def describe(self, row: JobRow) -> JobState:
        """Return the state of the row's model, GONE if there is none."""
        model = bedrock.find(
            lambda arn: dict(client("bedrock").get_custom_model(modelIdentifier=arn)),
            row.arn,
            lambda: self._arn(row.job_name),
        )
        if model is None:
            return JobState(status=JobStatus.GONE)
        # A model made before statuses were introduced has none and is ready to use (API reference).
        status = _STATUS.get(model.get("modelStatus", "Active"), JobStatus.RUNNING)
        output = {"model_arn": model["modelArn"]} if status is JobStatus.COMPLETED else {}
        return JobState(status=status, arn=model["modelArn"], output=output, cause=model.get("failureMessage", ""))

    def stop(self, row: JobRow) -> None:
        """Delete the model; success if it is gone or cannot be deleted yet."""
        bedrock.delete(
            lambda arn: client("bedrock").delete_custom_model(modelIdentifier=arn),
            row.arn,
            lambda: self._arn(row.job_name),
        )

    def _arn(self, name: str) -> str | None:
        """Return the ARN of the model of that name, or None.

        By listing: the policies bind every other call to the model's tag, which a name that nothing has does not carry.
        """
        with service_errors():
            found = client("bedrock").list_custom_models(nameContains=name, maxResults=1000)["modelSummaries"]
        return next((str(each["modelArn"]) for each in found if each["modelName"] == name), None)
