"""Jobs in progress that carry the tags of customizations, found without any stack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lambda_handlers.catalog.prices import HOURLY_USD
from lambda_handlers.jobs.driver import CUSTOMIZATION_TAG, DIGEST_TAG, RUN_TAG, STAGE_TAG, JobStatus
from lambda_handlers.protocol.errors import error_code
from nova_constructs.cli.clusters import go_by_region
from nova_constructs.cli.jobs import CLUSTER_JOB, TRAINING_JOB

INVOCATION_JOB: Final = "ModelInvocationJob"
STOPPING: Final = "Stopping"
_TRAINING: Final = ("InProgress", STOPPING)
_INVOCATION: Final = ("Submitted", "Validating", "Scheduled", "InProgress", STOPPING)
_GONE: Final = ("ValidationException", "ResourceNotFound", "ResourceNotFoundException")


@dataclass(frozen=True, kw_only=True, slots=True)
class TaggedJob:
    """Describe a job that has not ended and bears a customization's tag."""

    kind: str
    name: str
    arn: str
    status: str
    created: datetime
    tags: Mapping[str, str]
    instance_type: str | None = None
    instance_count: int | None = None
    place: Mapping[str, str] | None = None
    """Cluster and namespace of a job on HyperPod."""

    @property
    def customization(self) -> str:
        """Return STACK/NAME, the value of the tag."""
        return self.tags[CUSTOMIZATION_TAG]

    @property
    def run_id(self) -> str:
        """Return the run that made it, empty where nothing says so."""
        return self.tags.get(RUN_TAG, "")

    @property
    def stage(self) -> str:
        """Return the stage of the run, empty where nothing says so."""
        return self.tags.get(STAGE_TAG, "")

    @property
    def stopping(self) -> bool:
        """Say whether it has been told to end already."""
        return self.status == STOPPING

    @property
    def usd_per_hour(self) -> float | None:
        """Return what it costs by the hour, None where no price is known."""
        if self.kind != TRAINING_JOB:
            return 0.0
        price = HOURLY_USD.get(self.instance_type or "")
        return None if price is None or self.instance_count is None else round(price * self.instance_count, 2)

    @property
    def cost(self) -> str:
        """Return what it costs while it goes on, in words."""
        if self.kind == CLUSTER_JOB:
            return "0; the cluster's instances are billed"
        if self.kind == INVOCATION_JOB:
            return "0; billed by the token"
        price = self.usd_per_hour
        told = "not known" if price is None else f"{price:,.2f}"
        return f"{told}; {self.instance_count} x {self.instance_type}" if self.instance_type else told


def jobs_in_progress(client: Any, customization: str | None = None) -> Iterator[TaggedJob]:
    """Yield what runs in SageMaker and Amazon Bedrock; `client` opens a service, None is for every customization."""
    yield from training_jobs(client("sagemaker"), customization)
    yield from invocation_jobs(client("bedrock"), customization)


def training_jobs(sagemaker: Any, customization: str | None = None) -> Iterator[TaggedJob]:
    """Yield training and evaluation jobs (sagemaker: ListTrainingJobs, ListTags, DescribeTrainingJob)."""
    for status in _TRAINING:
        for page in sagemaker.get_paginator("list_training_jobs").paginate(StatusEquals=status):
            for listed in page["TrainingJobSummaries"]:
                tags = _training_tags(sagemaker, listed["TrainingJobArn"])
                if _wanted(tags, customization):
                    yield _training_job(sagemaker, listed, tags)


def invocation_jobs(bedrock: Any, customization: str | None = None) -> Iterator[TaggedJob]:
    """Yield batch inference jobs of Amazon Bedrock (bedrock: ListModelInvocationJobs, ListTagsForResource)."""
    from lambda_handlers.deployment.inventory import pages

    for status in _INVOCATION:
        for listed in pages(bedrock.list_model_invocation_jobs, "invocationJobSummaries", statusEquals=status):
            tags = _invocation_tags(bedrock, listed["jobArn"])
            if _wanted(tags, customization):
                yield TaggedJob(
                    kind=INVOCATION_JOB,
                    name=listed["jobName"],
                    arn=listed["jobArn"],
                    status=listed["status"],
                    created=listed["submitTime"],
                    tags=tags,
                )


def cluster_jobs(cluster: str, namespace: str, customization: str | None = None) -> Iterator[TaggedJob]:
    """Yield PyTorchJobs of a HyperPod cluster, by the caller's own access entry.

    Raises InvalidRequest or TransientServiceError if the cluster does not answer the caller.
    """
    from lambda_handlers.hyperpod import marks
    from lambda_handlers.hyperpod.access import cluster_access
    from lambda_handlers.hyperpod.api import KubernetesApi
    from lambda_handlers.hyperpod.conditions import instant, status_of

    go_by_region()
    api = KubernetesApi(cluster_access(cluster))
    for found in api.list(CLUSTER_JOB, namespace, marks.JOB_LABEL):
        tags = marks.tags_of(found)
        metadata = found["metadata"]
        if _wanted(tags, customization) and status_of(found) is JobStatus.RUNNING:
            yield TaggedJob(
                kind=CLUSTER_JOB,
                name=metadata["name"],
                arn=f"{api.access.cluster_arn}/{namespace}/pytorchjobs/{metadata['name']}",
                status=STOPPING if metadata.get("deletionTimestamp") else "InProgress",
                created=instant(str(metadata["creationTimestamp"])),
                place={"cluster_name": cluster, "namespace": namespace},
                tags=tags,
            )


def stop_job(client: Any, job: TaggedJob) -> None:
    """Ask a job to end; nothing if it has (sagemaker:StopTrainingJob, bedrock:StopModelInvocationJob)."""
    if job.place:
        from lambda_handlers.hyperpod.access import cluster_access
        from lambda_handlers.hyperpod.api import KubernetesApi
        from lambda_handlers.hyperpod.creation import remove_objects

        api = KubernetesApi(cluster_access(job.place["cluster_name"]))
        remove_objects(api, job.place["namespace"], name=job.name, digest=job.tags.get(DIGEST_TAG, ""))
        return
    try:
        if job.kind == TRAINING_JOB:
            client("sagemaker").stop_training_job(TrainingJobName=job.name)
        else:
            client("bedrock").stop_model_invocation_job(jobIdentifier=job.arn)
    except Exception as error:
        # What both services answer for a job that is not running any more.
        if error_code(error) not in (*_GONE, "ConflictException"):
            raise


def _wanted(tags: Mapping[str, str], customization: str | None) -> bool:
    tag = tags.get(CUSTOMIZATION_TAG)
    return bool(tag) and customization in (None, tag)


def _training_tags(sagemaker: Any, arn: str) -> dict[str, str]:
    try:
        pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
        return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
    except Exception as error:
        if error_code(error) in _GONE:
            return {}
        raise


def _invocation_tags(bedrock: Any, arn: str) -> dict[str, str]:
    try:
        return {tag["key"]: tag["value"] for tag in bedrock.list_tags_for_resource(resourceARN=arn)["tags"]}
    except Exception as error:
        if error_code(error) in _GONE:
            return {}
        raise


def _training_job(sagemaker: Any, listed: Mapping[str, Any], tags: Mapping[str, str]) -> TaggedJob:
    described = sagemaker.describe_training_job(TrainingJobName=listed["TrainingJobName"])
    resources = described.get("ResourceConfig") or {}
    return TaggedJob(
        kind=TRAINING_JOB,
        name=listed["TrainingJobName"],
        arn=listed["TrainingJobArn"],
        status=listed["TrainingJobStatus"],
        created=listed["CreationTime"],
        instance_type=resources.get("InstanceType"),
        instance_count=resources.get("InstanceCount"),
        tags=tags,
    )
