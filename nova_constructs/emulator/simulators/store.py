"""What the simulated services remember, shared between them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nova_constructs.emulator.kubernetes.access import AccessEntries
from nova_constructs.emulator.simulators.checkpoints import Checkpoint

if TYPE_CHECKING:
    from nova_constructs.emulator.simulators.custom_models import CustomModel
    from nova_constructs.emulator.simulators.deployments import Deployment
    from nova_constructs.emulator.simulators.hyperpod_clusters import ClusterRecord
    from nova_constructs.emulator.simulators.invocation_jobs import InvocationJob
    from nova_constructs.emulator.simulators.state import SimulatorState
    from nova_constructs.emulator.simulators.throughputs import Throughput
    from nova_constructs.emulator.simulators.training_job import TrainingJob


_JOIN_SECONDS = 5.0
"""Real time that running work gets to notice that it is to end."""


@dataclass(slots=True)
class Store:
    """Jobs and clusters by name, access entries by EKS cluster, checkpoints by URI, the rest by ARN.

    Hold `lock` to change more than one.
    """

    jobs: dict[str, TrainingJob] = field(default_factory=dict)
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    models: dict[str, CustomModel] = field(default_factory=dict)
    deployments: dict[str, Deployment] = field(default_factory=dict)
    throughputs: dict[str, Throughput] = field(default_factory=dict)
    invocations: dict[str, InvocationJob] = field(default_factory=dict)
    clusters: dict[str, ClusterRecord] = field(default_factory=dict)
    access: dict[str, AccessEntries] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    closed: threading.Event = field(default_factory=threading.Event)
    _workers: set[threading.Thread] = field(default_factory=set)

    def start(self, work: Callable[[], None], name: str) -> None:
        """Run work in a thread of its own; it ends soon after `closed` is set."""
        worker = threading.Thread(target=work, name=name, daemon=True)
        with self.lock:
            self._workers = {each for each in self._workers if each.is_alive()} | {worker}
            worker.start()

    def halt(self) -> None:
        """End all running work where it is."""
        with self.lock:
            self.closed.set()
            workers, self._workers = self._workers, set()
        for worker in workers:
            worker.join(timeout=_JOIN_SECONDS)

    def clear(self) -> None:
        """End running work and forget everything; new work may start."""
        self.halt()
        with self.lock:
            self.closed = threading.Event()
            for kept in (
                self.jobs,
                self.checkpoints,
                self.models,
                self.deployments,
                self.throughputs,
                self.invocations,
                self.clusters,
                self.access,
            ):
                kept.clear()

    def cluster(self, identifier: str) -> ClusterRecord | None:
        """Return a HyperPod cluster by its name or ARN, or None."""
        by_arn = (each for each in self.clusters.values() if each.arn == identifier)
        return self.clusters.get(identifier) or next(by_arn, None)

    def tags(self, arn: str) -> dict[str, str] | None:
        """Return the tags of a resource, or None if it is not one of the simulated ones."""
        job = self.jobs.get(arn.rsplit("/", 1)[-1]) if ":training-job/" in arn else None
        by_arn = (self.models, self.deployments, self.throughputs, self.invocations)
        resource = job or next((found for kept in by_arn if (found := kept.get(arn))), None)
        return dict(resource.tags) if resource else None


_current: list[tuple[object, Store]] = []


def store_of(state: SimulatorState) -> Store:
    """Return the store of an emulator, made on first use; one emulator runs per process."""
    for owner, store in _current:
        if owner is state:
            return store
    store = Store()
    _current[:] = [(state, store)]
    return store


def as_tags(pairs: list[Mapping[str, str]] | None, key: str = "Key", value: str = "Value") -> dict[str, str]:
    """Turn a list of tag objects into a mapping."""
    return {pair[key]: pair[value] for pair in pairs or ()}


def as_tag_list(tags: Mapping[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """Turn a mapping of tags into the API's list of objects."""
    return [{key: name, value: text} for name, text in tags.items()]
