"""The kinds of Kubernetes objects that jobs are made of, and where the API has them."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """Name a kind as the API does; `group` is empty for the core API."""

    name: str
    group: str
    version: str
    plural: str

    @property
    def root(self) -> str:
        """Return the path of the kind's API group."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str, name: str = "") -> str:
        """Return the path of an object, or without a name of all objects of the kind in a namespace."""
        return f"{self.root}/namespaces/{namespace}/{self.plural}" + (f"/{name}" if name else "")


def _kind(name: str, plural: str, group: str = "", version: str = "v1") -> Kind:
    return Kind(name=name, group=group, version=version, plural=plural)


PYTORCH_JOB: Final = "PyTorchJob"

KINDS: Final = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            _kind("ConfigMap", "configmaps"),
            _kind("Secret", "secrets"),
            _kind("Service", "services"),
            _kind("Pod", "pods"),
            _kind("Event", "events"),
            _kind("StatefulSet", "statefulsets", "apps"),
            _kind("Deployment", "deployments", "apps"),
            _kind("Job", "jobs", "batch"),
            _kind(PYTORCH_JOB, "pytorchjobs", "kubeflow.org"),
        )
    }
)
"""By name. What a job is made of, besides the pods that controllers make of it and the events about them."""
