"""SageMaker training jobs: training and evaluation both run as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lambda_handlers.jobs.driver import DIGEST_TAG, Instances, JobState, JobStatus, NameTaken
from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.errors import (
    CapacityUnavailable,
    InvalidRequest,
    JobTimedOut,
    QuotaExceeded,
    error_code,
    service_errors,
)

if TYPE_CHECKING:
    from lambda_handlers.protocol.registry import JobRow

_STATUS: Final[Mapping[str, JobStatus]] = {
    "InProgress": JobStatus.RUNNING,
    "Stopping": JobStatus.RUNNING,
    "Deleting": JobStatus.STOPPED,
    "Completed": JobStatus.COMPLETED,
    "Failed": JobStatus.FAILED,
    "Stopped": JobStatus.STOPPED,
}
_TIME_LIMITS: Final = ("MaxRuntimeExceeded", "MaxWaitTimeExceeded")
_NOT_FOUND: Final = "Requested resource not found"


class TrainingJobs:
    """Run training jobs (sagemaker: CreateTrainingJob, DescribeTrainingJob, StopTrainingJob, ListTags).

    The name is the idempotency key: a second create of the same name answers ResourceInUse (API reference).
    """

    kind = "TrainingJob"
    name_limit = 63
    stop_deletes = False

    def create(self, name: str, request: Mapping[str, Any], digest: str, tags: Mapping[str, str]) -> str:
        """Create the job and return its ARN; raise NameTaken, QuotaExceeded or InvalidRequest."""
        del digest  # among the tags
        body = dict(request)
        tag_list = [*body.pop("Tags", ()), *({"Key": key, "Value": value} for key, value in tags.items())]
        try:
            with service_errors():
                answer = client("sagemaker").create_training_job(**body, TrainingJobName=name, Tags=tag_list)
        except Exception as error:
            raise _refusal(name, error) from error
        return str(answer["TrainingJobArn"])

    def instances_of(self, request: Mapping[str, Any]) -> Instances:
        """Return the instances that a request asks for."""
        wanted = request["ResourceConfig"]
        return Instances(type=wanted["InstanceType"], count=wanted["InstanceCount"])

    def digest_of(self, row: JobRow) -> str | None:
        """Return the request digest the job of that name is tagged with, or None."""
        job = self._describe(row.job_name)
        return None if job is None else self._digest(job["TrainingJobArn"])

    def describe(self, row: JobRow) -> JobState:
        """Return the state of the row's job, GONE if there is none."""
        job = self._describe(row.job_name)
        if job is None:
            return JobState(status=JobStatus.GONE)
        status = _STATUS.get(job["TrainingJobStatus"], JobStatus.RUNNING)
        return JobState(
            status=status,
            arn=job["TrainingJobArn"],
            output=_output(job) if status is JobStatus.COMPLETED else {},
            cause=job.get("FailureReason") or _no_capacity(job, status),
            error=_error(job, status),
            stopping=job["TrainingJobStatus"] == "Stopping",
        )

    def stop(self, row: JobRow) -> None:
        """Ask the job to end; success if it has ended or is gone."""
        try:
            with service_errors():
                client("sagemaker").stop_training_job(TrainingJobName=row.job_name)
        except Exception as error:
            # A job that is not running answers ValidationException ("in status Completed"), as an unknown one does.
            if error_code(error) not in ("ValidationException", "ResourceNotFound"):
                raise

    def _describe(self, name: str) -> Mapping[str, Any] | None:
        try:
            with service_errors():
                return dict(client("sagemaker").describe_training_job(TrainingJobName=name))
        except Exception as error:
            if _is_not_found(error):
                return None
            raise

    def _digest(self, arn: str) -> str | None:
        # Four tags are ours and a create call takes no more than fifty: one page holds them all.
        with service_errors():
            tags = client("sagemaker").list_tags(ResourceArn=arn, MaxResults=100)["Tags"]
        return next((tag["Value"] for tag in tags if tag["Key"] == DIGEST_TAG), None)


def _refusal(name: str, error: Exception) -> Exception:
    code = error_code(error)
    if code == "ResourceInUse":
        return NameTaken(name)
    if code == "ResourceLimitExceeded":
        return QuotaExceeded(str(error))
    if code == "ValidationException":
        return InvalidRequest(str(error))
    return error


def _is_not_found(error: Exception) -> bool:
    # DescribeTrainingJob of an unknown name answers ValidationException, not the ResourceNotFound of its model.
    code = error_code(error)
    return code == "ResourceNotFound" or (code == "ValidationException" and _NOT_FOUND in str(error))


def _output(job: Mapping[str, Any]) -> dict[str, Any]:
    prefix = str(job["OutputDataConfig"]["S3OutputPath"]).rstrip("/")
    return {"output_uri": f"{prefix}/{job['TrainingJobName']}/output/output.tar.gz", "seconds": _seconds(job)}


def _seconds(job: Mapping[str, Any]) -> int:
    if "TrainingTimeInSeconds" in job:
        return int(job["TrainingTimeInSeconds"])
    if "TrainingStartTime" in job and "TrainingEndTime" in job:
        return int((job["TrainingEndTime"] - job["TrainingStartTime"]).total_seconds())
    return 0


def _no_capacity(job: Mapping[str, Any], status: JobStatus) -> str:
    """Return why a job counts as one that never got instances, or an empty text.

    Lack of capacity is not raised by the create call: the job stays pending, and is stopped once it was for
    MaxPendingTimeInSeconds (API reference, StoppingCondition). Whoever else stops a job does so before that.
    """
    limit = job.get("StoppingCondition", {}).get("MaxPendingTimeInSeconds")
    if status is not JobStatus.STOPPED or "TrainingStartTime" in job or limit is None:
        return ""
    waited = (job.get("TrainingEndTime") or job["LastModifiedTime"]) - job["CreationTime"]
    return f"it got no instances within {limit} seconds" if waited.total_seconds() >= limit else ""


def _error(job: Mapping[str, Any], status: JobStatus) -> str:
    if status is JobStatus.FAILED and str(job.get("FailureReason", "")).startswith("CapacityError"):
        return CapacityUnavailable.__name__
    if _no_capacity(job, status):
        return CapacityUnavailable.__name__
    if status is JobStatus.STOPPED and job.get("SecondaryStatus") in _TIME_LIMITS:
        return JobTimedOut.__name__
    return ""
