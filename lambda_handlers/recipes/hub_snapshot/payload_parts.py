"""What the pods of HyperPod payloads have in common, as the public launcher's templates write it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

Object = dict[str, Any]

TEMPLATE_REGION: Final = "us-east-1"
"""The Region that the templates have for every Region."""
TOLERATIONS: Final = (
    {
        "key": "sagemaker.amazonaws.com/RestrictedNode",
        "operator": "Equal",
        "value": "Worker",
        "effect": "NoSchedule",
    },
)
CA: Final = "k8s-ca-cert"
_MOUNTS: Final = {
    "fsx-path-main": "/sagemaker/fsx/main",
    "fsx-path-init": "/sagemaker/fsx/init",
    "training-config": "/config",
    "dshm": "/dev/shm",
    "logs": "/var/log/aws/clusters",
    "fsx-path-output-artifacts": "/sagemaker/fsx/output_artifacts",
    "tmp-storage": "/tmp",
    CA: "/etc/kubernetes/pki/ca.crt",
    "config": "/etc/nats-config",
    "pid": "/var/run/nats",
}
_HOST_PATHS: Final = {
    "fsx-path-main": ("/sagemaker/fsx/main", "DirectoryOrCreate"),
    "fsx-path-init": ("/sagemaker/fsx/init", "DirectoryOrCreate"),
    "logs": ("/var/log/aws/clusters", "DirectoryOrCreate"),
    "fsx-path-output-artifacts": ("/sagemaker/fsx/output_artifacts", "DirectoryOrCreate"),
    "tmp-storage": ("/opt/dlami/nvme", "Directory"),
    CA: ("/etc/kubernetes/pki/ca.crt", "File"),
}
WORK_MOUNTS: Final = ("fsx-path-main", "training-config", "dshm", "logs", "fsx-path-output-artifacts")
WORK_VOLUMES: Final = ("fsx-path-main", "fsx-path-init", "training-config", "dshm", "logs", "fsx-path-output-artifacts")
HOST_NETWORK: Final = {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}


def named(name: str, value: str) -> Object:
    """Return an environment variable."""
    return {"name": name, "value": value}


def from_field(name: str, path: str) -> Object:
    """Return an environment variable that a field of the pod gives."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def environment(*first: Object) -> list[Object]:
    """Return the variables of a container: some of its own, then those of every one."""
    return [*first, named("AWS_REGION", TEMPLATE_REGION), named("INSTANCE_TYPE", "{{instance_type}}")]


def mounts(*names: str) -> list[Object]:
    """Return where a container has volumes, by their names."""
    return [{"name": name, "mountPath": _MOUNTS[name]} | ({"readOnly": True} if name == CA else {}) for name in names]


def volumes(names: Sequence[str], config: str) -> list[Object]:
    """Return the volumes of a pod, by their names; `config` is the ConfigMap of its configuration."""
    return [_volume(name, config) for name in names]


def _volume(name: str, config: str) -> Object:
    if name in ("training-config", "config"):
        return {"name": name, "configMap": {"name": config}}
    if name == "dshm":
        return {"name": name, "emptyDir": {"medium": "Memory"}}
    if name == "pid":
        return {"name": name, "emptyDir": {}}
    path, kind = _HOST_PATHS[name]
    return {"name": name, "hostPath": {"path": path, "type": kind}}


def on_restricted_nodes() -> Object:
    """Return the affinity to restricted nodes of the job's instance type."""
    rules = [
        {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["{{instance_type}}"]},
        {"key": "sagemaker.amazonaws.com/instance-group-type", "operator": "In", "values": ["Restricted"]},
    ]
    terms = {"nodeSelectorTerms": [{"matchExpressions": rules}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def init_container(image: str) -> Object:
    """Return the container that prepares a node's file systems. It mounts the authority's certificate everywhere."""
    return {
        "name": "init-container",
        "image": image,
        "imagePullPolicy": "Always",
        "env": environment(),
        "volumeMounts": mounts("fsx-path-init", "training-config", "logs", CA),
    }


def amounts(**wanted: Any) -> Object:
    """Return the resources of a container, limits and requests alike."""
    return {"limits": dict(wanted), "requests": dict(wanted)}


def service(name: str, **spec: Any) -> Object:
    """Return a service of a job."""
    metadata = {"name": name, "namespace": "{{namespace}}"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
