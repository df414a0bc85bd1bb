"""Amazon Bedrock batch inference: model invocation jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lambda_handlers.jobs import bedrock
from lambda_handlers.jobs.driver import JobState, JobStatus
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.errors import JobTimedOut, error_code, service_errors
from lambda_handlers.protocol.names import client_token

if TYPE_CHECKING:
    from lambda_handlers.protocol.registry import JobRow

_STATUS: Final[Mapping[str, JobStatus]] = {
    "Completed": JobStatus.COMPLETED,
    # Some records have errors; which ones, who reads the output says.
    "PartiallyCompleted": JobStatus.COMPLETED,
    "Failed": JobStatus.FAILED,
    "Expired": JobStatus.FAILED,
    "Stopped": JobStatus.STOPPED,
}


class ModelInvocationJobs:
    """Run batch inference (bedrock: Create-, Get-, List-, StopModelInvocationJob(s), ListTagsForResource)."""

    kind = "ModelInvocationJob"
    name_limit = 63
    stop_deletes = False

    def create(self, name: str, request: Mapping[str, Any], digest: str, tags: Mapping[str, str]) -> str:
        """Create the job and return its ARN; raise NameTaken, QuotaExceeded or InvalidRequest."""
        try:
            with service_errors():
                answer = client("bedrock").create_model_invocation_job(
                    **request,
                    jobName=name,
                    tags=bedrock.tag_list(tags),
                    clientRequestToken=client_token(name, digest),
                )
        except Exception as error:
            raise bedrock.refusal(name, error, lambda: self._arn(name) is not None) from error
        return str(answer["jobArn"])

    def instances_of(self, request: Mapping[str, Any]) -> None:
        """Return None: Amazon Bedrock names no instances of a job."""

    def digest_of(self, row: JobRow) -> str | None:
        """Return the request digest the job of that name is tagged with, or None."""
        arn = self._arn(row.job_name)
        return None if arn is None else bedrock.digest(arn)

    def describe(self, row: JobRow) -> JobState:
        """Return the state of the row's job, GONE if there is none; `output_uri` is the folder that it wrote."""
        job = bedrock.find(
            lambda arn: dict(client("bedrock").get_model_invocation_job(jobIdentifier=arn)),
            row.arn,
            lambda: self._arn(row.job_name),
        )
        if job is None:
            return JobState(status=JobStatus.GONE)
        status = _STATUS.get(job["status"], JobStatus.RUNNING)
        return JobState(
            status=status,
            arn=job["jobArn"],
            output={"output_uri": _output_uri(job)} if status is JobStatus.COMPLETED else {},
            cause=job.get("message", ""),
            error=JobTimedOut.__name__ if job["status"] == "Expired" else "",
            stopping=job["status"] == "Stopping",
        )

    def stop(self, row: JobRow) -> None:
        """Ask the job to end; success if it has ended or is gone."""
        arn = row.arn or self._arn(row.job_name)
        if not arn:
            return
        try:
            with service_errors():
                client("bedrock").stop_model_invocation_job(jobIdentifier=arn)
        except Exception as error:
            # The API reference names both for a job that is not running any more.
            if error_code(error) not in ("ConflictException", "ValidationException", "ResourceNotFoundException"):
                raise

    def _arn(self, name: str) -> str | None:
        """Return the ARN of the job of that name, or None; by listing, as for custom models."""
        with service_errors():
            answer = client("bedrock").list_model_invocation_jobs(nameContains=name, maxResults=1000)
        found = answer.get("invocationJobSummaries", ())
        return next((str(each["jobArn"]) for each in found if each["jobName"] == name), None)


def _output_uri(job: Mapping[str, Any]) -> str:
    prefix = str(job["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"]).rstrip("/")
    return f"{prefix}/{job['jobArn'].rsplit('/', 1)[-1]}/"
