"""Jobs on HyperPod clusters that Amazon EKS orchestrates: a PyTorchJob and the objects it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lambda_handlers.catalog.clusters import RUNS_NOTHING
from lambda_handlers.hyperpod import conditions, marks, pods
from lambda_handlers.hyperpod.access import cluster_access, cluster_exists
from lambda_handlers.hyperpod.api import KubernetesApi
from lambda_handlers.hyperpod.creation import create_objects, find_root, remove_objects
from lambda_handlers.hyperpod.kinds import PYTORCH_JOB
from lambda_handlers.jobs.driver import Instances, JobState, JobStatus
from lambda_handlers.protocol import clock
from lambda_handlers.protocol.errors import CapacityUnavailable, InvalidRequest, JobTimedOut, QuotaExceeded

if TYPE_CHECKING:
    from lambda_handlers.protocol.registry import JobRow


class PyTorchJobs:
    """Run PyTorchJobs (sagemaker and eks: DescribeCluster; the cluster's Kubernetes API).

    A job is up to 21 objects, all named after it. The first that is made lists the others and owns them, and the
    PyTorchJob is made last, so that a creation that was interrupted goes on where it stopped, and nothing of a job is
    there once the first is gone. To stop is to delete all of them, whether or not the job has ended.
    """

    kind = PYTORCH_JOB
    name_limit = 40
    stop_deletes = False

    def create(self, name: str, request: Mapping[str, Any], digest: str, tags: Mapping[str, str]) -> str:
        """Create the objects of the job, or those that an earlier call did not come to; return its address.

        Raise NameTaken if a job of that name is not of this request, InvalidRequest or QuotaExceeded.
        """
        # What reads recipes is not in the functions that only look after jobs.
        from lambda_handlers.hyperpod.objects import Setting, job_objects

        access = cluster_access(request["cluster_name"])
        if access.status in RUNS_NOTHING:
            raise InvalidRequest(f"HyperPod cluster {access.cluster_name} is {access.status}: it runs no jobs.")
        setting = Setting(name=name, region=access.region, account=access.account, tags=tags)
        create_objects(KubernetesApi(access), job_objects(request, setting), name=name, digest=digest)
        return _address(access.cluster_arn, request["namespace"], name)

    def instances_of(self, request: Mapping[str, Any]) -> Instances:
        """Return the instances that a request asks for."""
        return Instances(type=request["instance_type"], count=int(request["instance_count"]))

    def digest_of(self, row: JobRow) -> str | None:
        """Return the request digest that the job is annotated with, or None."""
        api, namespace = _api(row)
        found = api.get(PYTORCH_JOB, namespace, row.job_name) or find_root(api, namespace, row.job_name)
        return None if found is None else marks.note(found, marks.DIGEST) or None

    def describe(self, row: JobRow) -> JobState:
        """Return the state of the row's job; GONE once there is none of its objects, or no cluster."""
        try:
            api, namespace = _api(row)
        except InvalidRequest:
            if cluster_exists(row.place["cluster_name"]):
                raise
            return JobState(status=JobStatus.GONE)
        job = api.get(PYTORCH_JOB, namespace, row.job_name)
        if job is None:
            return self._without_job(api, row, namespace)
        arn, status = _address(api.access.cluster_arn, namespace, row.job_name), conditions.status_of(job)
        if status is JobStatus.COMPLETED:
            output = {"output_uri": marks.note(job, marks.OUTPUT), "seconds": conditions.seconds_of_work(job)}
            return JobState(status=status, arn=arn, output=output)
        if status is JobStatus.FAILED:
            error, cause = _failure(api, job)
            return JobState(status=status, arn=arn, error=error, cause=cause)
        deleted = bool(job["metadata"].get("deletionTimestamp"))
        return replace(_going_on(api, job, arn), stopping=deleted)

    def stop(self, row: JobRow) -> None:
        """Delete all objects of the job that are its own; success if there are none."""
        try:
            api, namespace = _api(row)
        except InvalidRequest:
            if cluster_exists(row.place["cluster_name"]):
                raise
            return
        remove_objects(api, namespace, name=row.job_name, digest=row.digest)

    def _without_job(self, api: KubernetesApi, row: JobRow, namespace: str) -> JobState:
        if find_root(api, namespace, row.job_name) is None:
            return JobState(status=JobStatus.GONE)
        if not row.arn:
            # Its objects are being created, the job after all others.
            return JobState(status=JobStatus.RUNNING)
        return JobState(status=JobStatus.STOPPED, cause="its PyTorchJob was deleted")


def _api(row: JobRow) -> tuple[KubernetesApi, str]:
    return KubernetesApi(cluster_access(row.place["cluster_name"])), row.place["namespace"]


def _address(cluster_arn: str, namespace: str, name: str) -> str:
    """Return how the job is told from others: a PyTorchJob has no ARN, so its cluster's with its path there."""
    return f"{cluster_arn}/{namespace}/pytorchjobs/{name}"


def _going_on(api: KubernetesApi, job: Mapping[str, Any], arn: str) -> JobState:
    """Return the state of a job that has not ended: FAILED where a pod has waited too long, else RUNNING, with why."""
    found = _pods(api, job)
    held = pods.waiting(found)
    why = pods.in_words(held) or conditions.why(job)
    if not found:
        why = "; ".join(filter(None, (why, _events(api, job)))) or "none of its pods was made"
    limit = int(marks.note(job, marks.MAX_PENDING) or 0)
    since = [each.since for each in held] if found else [conditions.without_pods_since(job)]
    waited = max((clock.current().now() - each for each in since if each), default=None)
    if limit and waited is not None and waited.total_seconds() >= limit:
        without_node = not held or any(each.unscheduled for each in held)
        error = QuotaExceeded if "exceeded quota" in why else CapacityUnavailable
        cause = f"it did not get all of its pods running within {limit} seconds: {why}"
        return JobState(status=JobStatus.FAILED, arn=arn, error=error.__name__ if without_node else "", cause=cause)
    return JobState(status=JobStatus.RUNNING, arn=arn, cause=why if held or not found else "")


def _failure(api: KubernetesApi, job: Mapping[str, Any]) -> tuple[str, str]:
    told = conditions.why(job)
    if not conditions.ran_out_of_time(job):
        return "", told
    why = pods.in_words(pods.waiting(_pods(api, job)))
    return JobTimedOut.__name__, f"{told.rstrip('.')}; {why}" if why else told


def _pods(api: KubernetesApi, job: Mapping[str, Any]) -> list[dict[str, Any]]:
    metadata = job["metadata"]
    return api.list("Pod", metadata["namespace"], f"{marks.JOB_LABEL}={metadata['name']}")


def _events(api: KubernetesApi, job: Mapping[str, Any]) -> str:
    """Return what events tell of a job that has no pods; nothing where they may not be read."""
    metadata = job["metadata"]
    try:
        found = api.list("Event", metadata["namespace"], fields=f"involvedObject.name={metadata['name']}")
    except InvalidRequest:
        return ""
    return pods.quota_in_words(found)
