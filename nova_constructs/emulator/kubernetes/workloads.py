"""Deployments, StatefulSets and Jobs: their pods, which take room until they are deleted."""

from __future__ import annotations

import copy
from collections.abc import Iterator

from nova_constructs.emulator.kubernetes import pods, validation
from nova_constructs.emulator.kubernetes.kinds import DEPLOYMENT, JOB, POD, STATEFUL_SET, Kind
from nova_constructs.emulator.kubernetes.recorder import record
from nova_constructs.emulator.kubernetes.status import StatusError
from nova_constructs.emulator.kubernetes.store import Object, ObjectStore
from nova_constructs.emulator.kubernetes.training_operator import owner_of, pods_of

_SERVICES = ("vllm", "hubcli", "nats-server", "prompter", "rbs")
"""What the training image of reinforcement fine-tuning waits for, by the end of the objects' names."""


def reconcile(store: ObjectStore) -> bool:
    """Make the pods that are missing and tell whether anything changed."""
    before = store.changes
    for kind in (DEPLOYMENT, STATEFUL_SET, JOB):
        for body in store.all(kind):
            if "deletionTimestamp" not in body["metadata"]:
                _reconcile(store, kind, body)
    return store.changes != before


def services_run(store: ObjectStore, job: Object) -> bool:
    """Tell whether what a job's image waits for runs; only reinforcement fine-tuning waits for anything."""
    containers = job["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["containers"]
    if not any("SM-HP-RFT-TRAIN" in container["image"] for container in containers):
        return True
    namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]
    for suffix in _SERVICES:
        found = next(
            (
                body
                for kind in (DEPLOYMENT, STATEFUL_SET, JOB)
                if (body := store.find(kind, namespace, f"{name}-{suffix}")) is not None
            ),
            None,
        )
        own = pods_of(store, found) if found else []
        if not own or any(pods.phase(pod) != pods.RUNNING for pod in own):
            return False
    return True


def _reconcile(store: ObjectStore, kind: Kind, body: Object) -> None:
    own = {pod["metadata"]["name"]: pod for pod in pods_of(store, body)}
    for name in _pod_names(kind, body):
        if name not in own:
            _make(store, kind, body, name)
    running = [pod for pod in own.values() if pods.phase(pod) == pods.RUNNING]
    status = {"replicas": len(own), "readyReplicas": len(running)} if kind is not JOB else {"active": len(own)}
    if body.get("status") != status:
        body["status"] = status
        store.touch(body)


def _pod_names(kind: Kind, body: Object) -> Iterator[str]:
    name, spec, uid = body["metadata"]["name"], body["spec"], body["metadata"]["uid"]
    count = int(spec.get("parallelism" if kind is JOB else "replicas", 1))
    for index in range(count):
        if kind is STATEFUL_SET:
            yield f"{name}-{index}"
        else:
            yield f"{name}-{uid[:8]}-{uid[index:][-5:]}"


def _make(store: ObjectStore, kind: Kind, owner: Object, name: str) -> None:
    template = copy.deepcopy(owner["spec"]["template"])
    metadata = template.get("metadata") or {}
    labels = dict(metadata.get("labels") or {})
    if kind is JOB:
        labels |= {"batch.kubernetes.io/job-name": owner["metadata"]["name"], "job-name": owner["metadata"]["name"]}
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": dict(metadata.get("annotations") or {}),
            "ownerReferences": [owner_of(kind, owner)],
        },
        "spec": template["spec"],
    }
    try:
        kept, _ = validation.accepted(POD, body, owner["metadata"]["namespace"], "Ignore")
        pods.begin(kept)
        store.create(POD, kept)
    except StatusError as error:
        source = f"{kind.kind.lower()}-controller"
        record(store, kind, owner, "FailedCreate", f"Error creating: {error}", source=source, warning=True)
