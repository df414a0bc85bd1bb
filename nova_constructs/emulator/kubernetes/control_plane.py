"""The controllers of one cluster, run on the emulator's clock whenever something has changed or is due."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from nova_constructs.emulator.kubernetes import conditions, pods, workloads
from nova_constructs.emulator.kubernetes.container import HyperPodContainer, HyperPodImage
from nova_constructs.emulator.kubernetes.kinds import CONFIG_MAP, POD, PYTORCH_JOB
from nova_constructs.emulator.kubernetes.kubelet import Kubelet
from nova_constructs.emulator.kubernetes.nodes import Node, nodes_of
from nova_constructs.emulator.kubernetes.recorder import record
from nova_constructs.emulator.kubernetes.scheduler import place
from nova_constructs.emulator.kubernetes.store import Object, ObjectStore
from nova_constructs.emulator.kubernetes.training_operator import Operator, pods_of
from nova_constructs.emulator.kubernetes.work import JobWork
from nova_constructs.emulator.simulators.container import ContainerError
from nova_constructs.emulator.simulators.hyperpod_clusters import ClusterRecord
from nova_constructs.emulator.simulators.state import SimulatorState
from nova_constructs.emulator.simulators.store import Store

_REACTION_SECONDS = 1.0
_ROUNDS = 20
_BREATH = 0.001
"""Real time between two looks at everything, in which requests get hold of the objects."""
_CONFIG = "/config"


class ControlPlane:
    """Garbage collector, training operator, workload controllers, scheduler and kubelets."""

    def __init__(self, state: SimulatorState, simulated: Store, store: ObjectStore, cluster: ClusterRecord) -> None:
        self._state, self._simulated, self._store, self._cluster = state, simulated, store, cluster
        self._operator, self._kubelet = Operator(store), Kubelet(state, store)
        self._works: dict[str, JobWork] = {}
        self._timers: list[Any] = []
        self._closed = simulated.closed

    def wake(self) -> None:
        """Look at everything a little later."""
        self._state.clock.call_later(_REACTION_SECONDS, self._tick)

    def _tick(self) -> None:
        if self._closed.is_set():
            return
        with self._store.lock:
            for _ in range(_ROUNDS):
                if not self._round():
                    break
            self._plan()
        time.sleep(_BREATH)

    def _round(self) -> bool:
        nodes = {node.name: node for node in nodes_of(self._cluster)}
        changed = [
            self._store.collect(),
            self._operator.reconcile(),
            workloads.reconcile(self._store),
            self._schedule(nodes),
            self._kubelet.reconcile(nodes),
        ]
        self._oversee()
        return any(changed)

    def _schedule(self, nodes: dict[str, Node]) -> bool:
        before, now = self._store.changes, self._store.now()
        waiting = [pod for pod in self._store.all(POD) if pods.is_active(pod) and not pod["spec"].get("nodeName")]
        placed = self._placed() if waiting else {}
        for pod in waiting:
            node, reason = place(pod, list(nodes.values()), placed)
            if node is not None:
                pods.bind(pod, node.name, now)
                placed.setdefault(node.name, []).append(pod)
                metadata = pod["metadata"]
                message = f"Successfully assigned {metadata['namespace']}/{metadata['name']} to {node.name}"
                record(self._store, POD, pod, "Scheduled", message, source="default-scheduler")
                self._store.touch(pod)
            elif pods.unschedulable(pod, reason, now):
                record(self._store, POD, pod, "FailedScheduling", reason, source="default-scheduler", warning=True)
                self._store.touch(pod)
        return self._store.changes != before

    def _placed(self) -> dict[str, list[Object]]:
        placed: dict[str, list[Object]] = {}
        for pod in self._store.all(POD):
            if (node := pod["spec"].get("nodeName")) and pods.phase(pod) in (pods.PENDING, pods.RUNNING):
                placed.setdefault(node, []).append(pod)
        return placed

    def _oversee(self) -> None:
        """Start the work of jobs whose pods all run, and interrupt that of jobs whose pods do not."""
        jobs = {job["metadata"]["uid"]: job for job in self._store.all(PYTORCH_JOB)}
        for uid in [uid for uid in self._works if uid not in jobs or not self._runs(jobs[uid])]:
            self._works.pop(uid).interrupt()
        for uid, job in jobs.items():
            if uid not in self._works and self._runs(job) and workloads.services_run(self._store, job):
                self._start(job)

    def _runs(self, job: Object) -> bool:
        wanted = sum(int(replica.get("replicas", 1)) for replica in job["spec"]["pytorchReplicaSpecs"].values())
        running = [pod for pod in pods_of(self._store, job) if _is_ready(pod)]
        return len(running) == wanted and not conditions.finished(job.get("status") or {})

    def _start(self, job: Object) -> None:
        own = sorted(pods_of(self._store, job), key=lambda pod: (_is_worker(pod), pod["metadata"]["name"]))
        uid = job["metadata"]["uid"]
        try:
            container = self._container(job, own)
        except ContainerError:
            self._kubelet.crash(own[0], 1)
            return
        work = self._works[uid] = JobWork(
            self._state, self._simulated, container, lambda exit_code: self._done(uid, work, exit_code)
        )
        work.start()

    def _container(self, job: Object, own: list[Object]) -> HyperPodContainer:
        metadata, leader = job["metadata"], own[0]
        node = next(each for each in nodes_of(self._cluster) if each.name == leader["spec"]["nodeName"])
        main = next(each for each in leader["spec"]["containers"] if each["name"] == "pytorch")
        tags = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
        return HyperPodContainer(
            self._state,
            cluster=self._cluster,
            group=node.group,
            job=metadata["name"],
            recipe=self._config(leader, main),
            image=HyperPodImage(main["image"], self._state.region),
            pods=[(pod["metadata"]["name"], pod["spec"]["nodeName"]) for pod in own],
            tags=tags,
            created=datetime.fromisoformat(metadata["creationTimestamp"]),
        )

    def _config(self, pod: Object, container: Object) -> str:
        """Return the recipe, which the image reads from /config/config.yaml."""
        mounted = {each["mountPath"].rstrip("/"): each["name"] for each in container.get("volumeMounts") or ()}
        for volume in pod["spec"].get("volumes") or ():
            if volume["name"] == mounted.get(_CONFIG) and "configMap" in volume:
                found = self._store.find(CONFIG_MAP, pod["metadata"]["namespace"], volume["configMap"]["name"])
                if found is not None and "config.yaml" in (found.get("data") or {}):
                    return str(found["data"]["config.yaml"])
        raise ContainerError("AlgorithmError: Recipe file not found: /config/config.yaml")

    def _done(self, uid: str, work: JobWork, exit_code: int) -> None:
        with self._state.clock.busy(), self._store.lock:
            if self._works.get(uid) is not work:
                return
            del self._works[uid]
            job = next((each for each in self._store.all(PYTORCH_JOB) if each["metadata"]["uid"] == uid), None)
            for pod in pods_of(self._store, job) if job else ():
                if exit_code and _is_worker(pod):
                    continue  # the others notice that the first is gone, and wait for it
                if exit_code:
                    self._kubelet.crash(pod, exit_code)
                else:
                    pods.end(pod, 0, self._store.now())
                    self._store.touch(pod)
            self._tick()

    def _plan(self) -> None:
        """Come back when something is due: a pod's start, a restart, the deadline of a job."""
        while self._timers:
            self._timers.pop().cancel()
        deadlines = [self._operator.deadline(job) for job in self._store.all(PYTORCH_JOB)]
        due = [moment for moment in [*deadlines, self._kubelet.due()] if moment is not None]
        if due:
            self._timers.append(self._state.clock.call_at(min(due), self._tick))


def _is_ready(pod: Object) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return pods.is_active(pod) and bool(statuses) and all("running" in each["state"] for each in statuses)


def _is_worker(pod: Object) -> bool:
    return bool(pod["metadata"]["labels"]["training.kubeflow.org/replica-type"] == "worker")
