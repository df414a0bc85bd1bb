"""The training operator: pods of PyTorchJobs, their conditions and end (kubeflow/training-operator 1.8)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from nova_constructs.emulator.kubernetes import conditions, pods, validation
from nova_constructs.emulator.kubernetes.kinds import POD, PYTORCH_JOB
from nova_constructs.emulator.kubernetes.recorder import record
from nova_constructs.emulator.kubernetes.status import StatusError
from nova_constructs.emulator.kubernetes.store import Object, ObjectStore, stamp

JOB_NAME_LABEL = "training.kubeflow.org/job-name"
REPLICA_TYPE_LABEL = "training.kubeflow.org/replica-type"
REPLICA_INDEX_LABEL = "training.kubeflow.org/replica-index"
_SOURCE = "pytorchjob-controller"


class Operator:
    """Brings the pods of every PyTorchJob in line with the job, and the job's status in line with its pods."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def reconcile(self) -> bool:
        """Look at every job once and tell whether anything changed."""
        before = self._store.changes
        for job in self._store.all(PYTORCH_JOB):
            if "deletionTimestamp" not in job["metadata"]:
                self._reconcile(job)
        return self._store.changes != before

    def deadline(self, job: Object) -> datetime | None:
        """Return when a job will have been active for too long."""
        seconds = _policy(job).get("activeDeadlineSeconds")
        started = (job.get("status") or {}).get("startTime")
        if seconds is None or not started or conditions.finished(job["status"]):
            return None
        return datetime.fromisoformat(started) + timedelta(seconds=seconds)

    def _reconcile(self, job: Object) -> None:
        status = job.setdefault("status", {})
        name, now, before = job["metadata"]["name"], self._store.now(), copy.deepcopy(status)
        conditions.put(status, "Created", f"PyTorchJob {name} is created.", now)
        if conditions.finished(status):
            self._clean(job)
        elif _policy(job).get("suspend"):
            self._suspend(job)
        elif reason := self._exceeded(job):
            self._fail(job, reason)
        else:
            self._resume(status, name)
            self._work(job)
        if status != before:
            self._store.touch(job)

    def _work(self, job: Object) -> None:
        status = job["status"]
        for role, replica in _replicas(job):
            self._make_pods(job, role, replica)
            counts = self._counted(job, role)
            status.setdefault("replicaStatuses", {})[role] = counts
        status.setdefault("startTime", stamp(self._store.now()))
        for role, replica in _replicas(job):
            self._judge(job, role, replica)

    def _judge(self, job: Object, role: str, replica: Object) -> None:
        status, name, now = job["status"], job["metadata"]["name"], self._store.now()
        counts = status["replicaStatuses"][role]
        leading = role == "Master" or "Master" not in job["spec"]["pytorchReplicaSpecs"]
        if leading and counts.get("active"):
            conditions.put(status, "Running", f"PyTorchJob {name} is running.", now)
        if leading and counts.get("succeeded", 0) >= _count(replica):
            self._end(job, "Succeeded", f"PyTorchJob {name} is successfully completed.")
            return
        failed = counts.get("failed", 0)
        if failed and _count(replica) > counts.get("succeeded", 0) + counts.get("active", 0):
            if _restart_policy(replica) == "Never":
                self._end(job, "Failed", f"PyTorchJob {name} is failed because {failed} {role} replica(s) failed.")
            else:
                message = f"PyTorchJob {name} is restarting because {failed} {role} replica(s) failed."
                conditions.put(status, "Restarting", message, now)

    def _make_pods(self, job: Object, role: str, replica: Object) -> None:
        own = {pod["metadata"]["labels"][REPLICA_INDEX_LABEL]: pod for pod in self._pods(job, role)}
        for index in range(_count(replica)):
            pod = own.get(str(index))
            if pod is None:
                self._make_pod(job, role, index, replica)
            elif pods.phase(pod) == pods.FAILED and _restart_policy(replica) != "Never":
                self._store.delete(POD, pod)

    def _make_pod(self, job: Object, role: str, index: int, replica: Object) -> None:
        template = copy.deepcopy(replica["template"])
        job_name, lower = job["metadata"]["name"], role.lower()
        labels = {
            JOB_NAME_LABEL: job_name,
            "training.kubeflow.org/operator-name": _SOURCE,
            REPLICA_TYPE_LABEL: lower,
            REPLICA_INDEX_LABEL: str(index),
            **({"training.kubeflow.org/job-role": "master"} if role == "Master" else {}),
        }
        metadata = template.get("metadata") or {}
        policy = _restart_policy(replica)
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                **{name: metadata[name] for name in ("annotations",) if name in metadata},
                "name": f"{job_name}-{lower}-{index}",
                "labels": {**(metadata.get("labels") or {}), **labels},
                "ownerReferences": [owner_of(PYTORCH_JOB, job)],
            },
            "spec": {**template["spec"], "restartPolicy": "Never" if policy == "ExitCode" else policy},
        }
        self._create(job, body)

    def _create(self, job: Object, body: Object) -> None:
        try:
            kept, _ = validation.accepted(POD, body, job["metadata"]["namespace"], "Ignore")
            pods.begin(kept)
            self._store.create(POD, kept)
        except StatusError as error:
            message = f"Error creating: {error}"
            record(self._store, PYTORCH_JOB, job, "FailedCreatePod", message, source=_SOURCE, warning=True)
            return
        message = f"Created pod: {body['metadata']['name']}"
        record(self._store, PYTORCH_JOB, job, "SuccessfulCreatePod", message, source=_SOURCE)

    def _exceeded(self, job: Object) -> str:
        """Return why a job is ended by its run policy, or nothing."""
        name, limit, due = job["metadata"]["name"], _policy(job).get("backoffLimit"), self.deadline(job)
        if limit is not None:
            restarted = sum(
                pods.restarts(pod)
                for role, replica in _replicas(job)
                if _restart_policy(replica) in ("OnFailure", "Always")
                for pod in self._pods(job, role)
                if pods.phase(pod) == pods.RUNNING
            )
            if restarted > 0 if limit == 0 else restarted >= limit:
                return f"Job {name} has failed because it has reached the specified backoff limit"
        if due is not None and self._store.now() >= due:
            return f"Job {name} has failed because it was active longer than specified deadline"
        return ""

    def _fail(self, job: Object, reason: str) -> None:
        """Fail a job; its pods go whatever the policy says, since it had not ended yet."""
        for role, _ in _replicas(job):
            for pod in self._pods(job, role):
                self._store.delete(POD, pod)
        self._end(job, "Failed", reason)

    def _end(self, job: Object, kind: str, message: str) -> None:
        now = self._store.now()
        job["status"].setdefault("completionTime", stamp(now))
        if conditions.put(job["status"], kind, message, now):
            record(self._store, PYTORCH_JOB, job, f"PyTorchJob{kind}", message, source=_SOURCE)

    def _clean(self, job: Object) -> None:
        """Delete the pods of a job that has ended, as its policy says; without one they stay."""
        status, policy = job["status"], _policy(job).get("cleanPodPolicy") or "None"
        for role, _ in _replicas(job):
            for pod in self._pods(job, role):
                if policy == "All" or (policy == "Running" and pods.phase(pod) in (pods.RUNNING, pods.PENDING)):
                    self._store.delete(POD, pod)
            counts = (status.get("replicaStatuses") or {}).get(role)
            if counts and conditions.holds(status, "Succeeded"):
                counts["succeeded"] = counts.get("succeeded", 0) + counts.pop("active", 0)

    def _suspend(self, job: Object) -> None:
        status, name, now = job["status"], job["metadata"]["name"], self._store.now()
        message = f"PyTorchJob {name} is suspended."
        for role, _ in _replicas(job):
            for pod in self._pods(job, role):
                self._store.delete(POD, pod)
        if conditions.holds(status, "Running"):
            conditions.put(status, "Running", message, now, value="False", reason="PyTorchJobSuspended")
        conditions.put(status, "Suspended", message, now)

    def _resume(self, status: conditions.Status, name: str) -> None:
        if conditions.holds(status, "Suspended"):
            now = self._store.now()
            message = f"PyTorchJob {name} is resumed."
            conditions.put(status, "Suspended", message, now, value="False", reason="PyTorchJobResumed")
            status["startTime"] = stamp(now)

    def _counted(self, job: Object, role: str) -> dict[str, Any]:
        phases = [pods.phase(pod) for pod in self._pods(job, role)]
        counts = {
            "active": phases.count(pods.RUNNING),
            "succeeded": phases.count(pods.SUCCEEDED),
            "failed": phases.count(pods.FAILED),
        }
        selector = f"{JOB_NAME_LABEL}={job['metadata']['name']},{REPLICA_TYPE_LABEL}={role.lower()}"
        return {**{name: count for name, count in counts.items() if count}, "selector": selector}

    def _pods(self, job: Object, role: str) -> list[Object]:
        return [
            pod for pod in pods_of(self._store, job) if pod["metadata"]["labels"][REPLICA_TYPE_LABEL] == role.lower()
        ]


def pods_of(store: ObjectStore, job: Object) -> list[Object]:
    """Return the pods that a job owns."""
    uid = job["metadata"]["uid"]
    return [
        pod
        for pod in store.all(POD, job["metadata"]["namespace"])
        if any(owner["uid"] == uid for owner in pod["metadata"].get("ownerReferences") or ())
    ]


def owner_of(kind: Any, body: Object) -> Object:
    """Return the reference that an object's dependents have to it."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "name": body["metadata"]["name"],
        "uid": body["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _replicas(job: Object) -> Iterator[tuple[str, Object]]:
    yield from sorted(job["spec"]["pytorchReplicaSpecs"].items())


def _policy(job: Object) -> Object:
    return dict(job["spec"].get("runPolicy") or {})


def _count(replica: Object) -> int:
    return int(replica.get("replicas", 1))


def _restart_policy(replica: Object) -> str:
    return str(replica.get("restartPolicy") or "OnFailure")
