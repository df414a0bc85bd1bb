"""Amazon SageMaker's training job operations; jobs run in `job_run`, everything else of SageMaker stays moto's."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from moto.s3.models import s3_backends
from moto.sagemaker.responses import SageMakerResponse

from lambda_handlers.catalog import instances
from nova_constructs.emulator.simulators.acting import AccessRefusedError, ActingService
from nova_constructs.emulator.simulators.checkpoints import split_uri
from nova_constructs.emulator.simulators.image_registry import NovaImage
from nova_constructs.emulator.simulators.job_run import JobRun, announce
from nova_constructs.emulator.simulators.operations import FALL_BACK, Parameters, aws_error, serve
from nova_constructs.emulator.simulators.paging import page
from nova_constructs.emulator.simulators.state import SimulatorState, Undo
from nova_constructs.emulator.simulators.store import Store, as_tags, store_of
from nova_constructs.emulator.simulators.training_job import TERMINAL, TrainingJob

_MAXIMUM_RUNTIME = 28 * 86400


class TrainingJobs:
    """The operations on training jobs of one account and Region."""

    def __init__(self, state: SimulatorState, store: Store) -> None:
        self._state, self._store = state, store

    def create(self, parameters: Parameters) -> dict[str, Any]:
        """Check a request as the service does, keep it and start the job."""
        name = parameters["TrainingJobName"]
        arn = f"arn:aws:sagemaker:{self._state.region}:{self._state.account}:training-job/{name}"
        with self._store.lock:
            self._refuse_taken(name, arn)
        image = self._checked_image(parameters)
        _check_resources(parameters)
        self._check_role(parameters["RoleArn"], arn)
        for channel in parameters.get("InputDataConfig") or []:
            self._check_input(channel)
        with self._store.lock:
            self._refuse_taken(name, arn)
            tags = as_tags(parameters.get("Tags"))
            job = TrainingJob(name=name, arn=arn, request=parameters, tags=tags, created=self._state.clock.now())
            self._store.jobs[name] = job
        JobRun(self._state, self._store, job, image).start()
        return {"TrainingJobArn": arn}

    def describe(self, parameters: Parameters) -> dict[str, Any]:
        """Answer DescribeTrainingJob."""
        job = self._job(parameters["TrainingJobName"])
        with self._store.lock:
            return job.description()

    def stop(self, parameters: Parameters) -> None:
        """Begin to stop a job; a finished job is refused as the service does."""
        job = self._job(parameters["TrainingJobName"])
        with self._store.lock:
            if job.status in TERMINAL:
                raise aws_error(
                    "ValidationException",
                    f"The request was rejected because the training job is in status {job.status}.",
                )
            if job.stop_requested.is_set():
                return
            job.stop_requested.set()
            job.enter("Stopping", self._state.clock.now(), "Stopping")
            detail = job.event_detail()
        announce(self._state, job, detail)

    def list(self, parameters: Parameters) -> dict[str, Any]:
        """Answer ListTrainingJobs with its filters, sorted by creation unless asked otherwise."""
        with self._store.lock:
            jobs = [job for job in self._store.jobs.values() if _listed(job, parameters)]
        keys = {"Name": lambda job: job.name, "Status": lambda job: job.status}
        by_creation = parameters.get("SortBy", "CreationTime") not in keys
        key = (lambda job: job.created) if by_creation else keys[parameters["SortBy"]]
        jobs.sort(key=key, reverse=parameters.get("SortOrder", "Descending") == "Descending")
        shown, token = page(jobs, parameters.get("NextToken"), parameters.get("MaxResults") or 10)
        answer: dict[str, Any] = {"TrainingJobSummaries": [job.summary() for job in shown]}
        return answer | ({"NextToken": token} if token else {})

    def delete(self, parameters: Parameters) -> None:
        """Delete a finished job."""
        job = self._job(parameters["TrainingJobName"])
        with self._store.lock:
            if job.status not in TERMINAL:
                raise aws_error("ResourceInUse", f"Training job {job.name} is in status {job.status}.")
            del self._store.jobs[job.name]

    def list_tags(self, parameters: Parameters) -> Any:
        """Answer ListTags for jobs."""
        job = self._by_arn(parameters["ResourceArn"])
        return {"Tags": job.tag_list()} if job else FALL_BACK

    def add_tags(self, parameters: Parameters) -> Any:
        """Add tags to a job and return them all."""
        job = self._by_arn(parameters["ResourceArn"])
        if job is None:
            return FALL_BACK
        with self._store.lock:
            job.tags.update(as_tags(parameters["Tags"]))
        return {"Tags": job.tag_list()}

    def delete_tags(self, parameters: Parameters) -> Any:
        """Remove tags from a job."""
        job = self._by_arn(parameters["ResourceArn"])
        if job is None:
            return FALL_BACK
        with self._store.lock:
            for key in parameters["TagKeys"]:
                job.tags.pop(key, None)
        return {}

    def _job(self, name: str) -> TrainingJob:
        job = self._store.jobs.get(name)
        if job is None:
            raise aws_error("ValidationException", "Requested resource not found.")
        return job

    def _by_arn(self, arn: str) -> TrainingJob | None:
        if ":training-job/" not in arn:
            return None
        return self._job(arn.rsplit("/", 1)[-1])

    def _refuse_taken(self, name: str, arn: str) -> None:
        if name in self._store.jobs:
            raise aws_error(
                "ResourceInUse",
                "Training job names must be unique within an AWS account and region, "
                f"and a training job with this name already exists ({arn})",
            )

    def _checked_image(self, parameters: Parameters) -> NovaImage:
        if "ServerlessJobConfig" in parameters or "AlgorithmSpecification" not in parameters:
            raise NotImplementedError("CreateTrainingJob without AlgorithmSpecification is not emulated")
        uri = parameters["AlgorithmSpecification"].get("TrainingImage")
        try:
            return NovaImage(uri or "", self._state.region)
        except ValueError as error:
            raise aws_error("ValidationException", f"Invalid training image: {error}") from error

    def _check_role(self, role_arn: str, job_arn: str) -> None:
        principal = "sagemaker.amazonaws.com"
        service = ActingService(self._state, role_arn=role_arn, service_principal=principal, source_arn=job_arn)
        try:
            service.assume()
        except AccessRefusedError as error:
            raise aws_error(
                "ValidationException",
                f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
                f"'{principal}' to assume the role.",
            ) from error

    def _check_input(self, channel: Mapping[str, Any]) -> None:
        source = channel["DataSource"].get("S3DataSource")
        if source is None:
            raise NotImplementedError("training input from a file system or data set is not emulated")
        bucket, prefix = split_uri(source["S3Uri"])
        if not _has_objects(self._state.account, bucket, prefix):
            raise aws_error(
                "ValidationException",
                f'No S3 objects found under S3 URL "{source["S3Uri"]}" given in input data source. Please ensure that '
                "the bucket exists in the selected region, and that objects exist under that S3 prefix.",
            )


def install(state: SimulatorState) -> Undo:
    """Serve the training job operations."""
    jobs = TrainingJobs(state, store_of(state))
    return serve(
        SageMakerResponse,
        {
            "CreateTrainingJob": jobs.create,
            "DescribeTrainingJob": jobs.describe,
            "StopTrainingJob": jobs.stop,
            "ListTrainingJobs": jobs.list,
            "DeleteTrainingJob": jobs.delete,
            "ListTags": jobs.list_tags,
            "AddTags": jobs.add_tags,
            "DeleteTags": jobs.delete_tags,
        },
    )


def _check_resources(parameters: Parameters) -> None:
    resources = parameters.get("ResourceConfig") or {}
    if not resources.get("InstanceType") or not resources.get("InstanceCount"):
        raise aws_error("ValidationException", "ResourceConfig must give InstanceType and InstanceCount.")
    if resources.get("VolumeKmsKeyId") and instances.has_local_storage(resources["InstanceType"]):
        raise aws_error(
            "ValidationException",
            f"VolumeKmsKeyId is not supported for instance type {resources['InstanceType']}, which has local storage.",
        )
    stopping = parameters.get("StoppingCondition") or {}
    if stopping.get("MaxRuntimeInSeconds", 0) > _MAXIMUM_RUNTIME:
        raise aws_error("ValidationException", f"MaxRuntimeInSeconds must be at most {_MAXIMUM_RUNTIME}.")
    names = [channel["ChannelName"] for channel in parameters.get("InputDataConfig") or []]
    if len(names) != len(set(names)):
        raise aws_error("ValidationException", "Channel names must be unique.")


def _has_objects(account: str, bucket: str, prefix: str) -> bool:
    with contextlib.suppress(Exception):
        held = s3_backends[account]["aws"].get_bucket(bucket)
        return any(key.startswith(prefix) for key in list(held.keys))
    return False


def _listed(job: TrainingJob, parameters: Parameters) -> bool:
    wanted = parameters.get("StatusEquals")
    after, before = parameters.get("CreationTimeAfter"), parameters.get("CreationTimeBefore")
    return (
        (not wanted or job.status == wanted)
        and parameters.get("NameContains", "") in job.name
        and (not after or job.created >= after)
        and (not before or job.created <= before)
    )
