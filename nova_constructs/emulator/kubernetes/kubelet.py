"""The nodes' side of pods: volumes, images, start, restarts and end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from nova_constructs.emulator.kubernetes import images, pods
from nova_constructs.emulator.kubernetes.kinds import CONFIG_MAP, POD, SECRET
from nova_constructs.emulator.kubernetes.nodes import Node
from nova_constructs.emulator.kubernetes.recorder import record
from nova_constructs.emulator.kubernetes.store import Object, ObjectStore
from nova_constructs.emulator.simulators.state import SimulatorState

_STARTING_SECONDS = 90.0
_ENDING_SECONDS = 5.0
_PULL_AGAIN_SECONDS = 300.0
_MOUNT_AGAIN_SECONDS = 120.0
_BACK_OFF_SECONDS = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0)


@dataclass(slots=True, kw_only=True)
class _Run:
    """One pod on its node; `due` is when something happens to it next."""

    due: datetime | None
    crashed: bool = False


class Kubelet:
    """All nodes of one cluster."""

    def __init__(self, state: SimulatorState, store: ObjectStore) -> None:
        self._state, self._store = state, store
        self._runs: dict[str, _Run] = {}

    def reconcile(self, nodes: Mapping[str, Node]) -> bool:
        """Look at every pod that has a node and tell whether anything changed."""
        before = self._store.changes
        living = set()
        for pod in self._store.all(POD):
            living.add(pod["metadata"]["uid"])
            if "deletionTimestamp" in pod["metadata"]:
                self._end(pod)
            elif pod["spec"].get("nodeName") and pods.phase(pod) in (pods.PENDING, pods.RUNNING):
                self._advance(pod, nodes)
        self._runs = {uid: run for uid, run in self._runs.items() if uid in living}
        return self._store.changes != before

    def due(self) -> datetime | None:
        """Return when something will happen next."""
        return min((run.due for run in self._runs.values() if run.due is not None), default=None)

    def crash(self, pod: Object, exit_code: int) -> None:
        """Let a pod's containers fail: they start again after a while, or never, as the pod's policy says."""
        now = self._store.now()
        if pod["spec"].get("restartPolicy") == "Never":
            pods.end(pod, exit_code, now)
        else:
            place = min(pods.restarts(pod), len(_BACK_OFF_SECONDS) - 1)
            seconds = _BACK_OFF_SECONDS[place]
            pods.back_off(pod, exit_code, seconds, now)
            self._runs[pod["metadata"]["uid"]] = _Run(due=now + timedelta(seconds=seconds), crashed=True)
        self._store.touch(pod)

    def _advance(self, pod: Object, nodes: Mapping[str, Node]) -> None:
        uid, now = pod["metadata"]["uid"], self._store.now()
        run = self._runs.get(uid)
        if run is None:
            run = self._runs[uid] = _Run(due=now + timedelta(seconds=_STARTING_SECONDS))
        if run.due is None or run.due > now:
            return
        if run.crashed:
            pods.run(pod, now)
            self._runs[uid] = _Run(due=None)
        elif missing := self._missing(pod):
            record(self._store, POD, pod, "FailedMount", missing, source="kubelet", warning=True)
            run.due = now + timedelta(seconds=_MOUNT_AGAIN_SECONDS)
        elif problem := self._unpulled(pod, nodes):
            self._cannot_pull(pod, run, *problem)
        else:
            pods.run(pod, now)
            run.due = None
        self._store.touch(pod)

    def _cannot_pull(self, pod: Object, run: _Run, image: str, reason: str) -> None:
        now = self._store.now()
        message = f'Failed to pull image "{image}": {reason}'
        record(self._store, POD, pod, "Failed", message, source="kubelet", warning=True)
        pods.wait(pod, "ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {reason}')
        run.due = now + timedelta(seconds=_PULL_AGAIN_SECONDS)

    def _missing(self, pod: Object) -> str:
        """Return what the kubelet says of a volume whose ConfigMap or Secret does not exist."""
        namespace = pod["metadata"]["namespace"]
        for volume in pod["spec"].get("volumes") or ():
            sources = (("configMap", "name", CONFIG_MAP), ("secret", "secretName", SECRET))
            for source, key, kind in sources:
                given = volume.get(source)
                if (
                    given
                    and not given.get("optional")
                    and self._store.find(kind, namespace, given.get(key, "")) is None
                ):
                    named = f'{kind.kind.lower()} "{given.get(key)}"'
                    return f'MountVolume.SetUp failed for volume "{volume["name"]}" : {named} not found'
        return ""

    def _unpulled(self, pod: Object, nodes: Mapping[str, Node]) -> tuple[str, str] | None:
        """Return an image that cannot be pulled, and why."""
        node = nodes.get(pod["spec"]["nodeName"])
        metadata = pod["metadata"]
        if (
            reason := self._state.faults.reason("image_pull", metadata["name"], metadata.get("labels") or {})
        ) is not None:
            return str(pod["spec"]["containers"][0]["image"]), reason
        for container in [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]:
            image = container["image"]
            if node is not None and (reason := images.refusal(self._state, image, node.group.execution_role)):
                return image, reason
        return None

    def _end(self, pod: Object) -> None:
        uid, now = pod["metadata"]["uid"], self._store.now()
        grace = min(_ENDING_SECONDS, float(pod["metadata"].get("deletionGracePeriodSeconds", 0)))
        run = self._runs.get(uid)
        if run is None or run.due is None or run.due > now + timedelta(seconds=grace):
            self._runs[uid] = _Run(due=now + timedelta(seconds=grace))
        elif run.due <= now:
            self._store.remove(POD, pod)
