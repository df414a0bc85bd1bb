"""The kinds of object that the API server keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind; `custom` ones come from a CustomResourceDefinition, whose objects are checked in other ways."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    custom: bool = False

    @property
    def api_version(self) -> str:
        """Give what objects of the kind have as their apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version


POD = Kind(group="", version="v1", kind="Pod", plural="pods")
EVENT = Kind(group="", version="v1", kind="Event", plural="events")
NAMESPACE = Kind(group="", version="v1", kind="Namespace", plural="namespaces", namespaced=False)
CONFIG_MAP = Kind(group="", version="v1", kind="ConfigMap", plural="configmaps")
SECRET = Kind(group="", version="v1", kind="Secret", plural="secrets")
SERVICE = Kind(group="", version="v1", kind="Service", plural="services")
DEPLOYMENT = Kind(group="apps", version="v1", kind="Deployment", plural="deployments")
STATEFUL_SET = Kind(group="apps", version="v1", kind="StatefulSet", plural="statefulsets")
JOB = Kind(group="batch", version="v1", kind="Job", plural="jobs")
PYTORCH_JOB = Kind(group="kubeflow.org", version="v1", kind="PyTorchJob", plural="pytorchjobs", custom=True)
ROLE = Kind(group="rbac.authorization.k8s.io", version="v1", kind="Role", plural="roles")
ROLE_BINDING = Kind(group="rbac.authorization.k8s.io", version="v1", kind="RoleBinding", plural="rolebindings")
ACCESS_REVIEW = Kind(
    group="authorization.k8s.io",
    version="v1",
    kind="SelfSubjectAccessReview",
    plural="selfsubjectaccessreviews",
    namespaced=False,
)

KINDS = (
    POD, EVENT, NAMESPACE, CONFIG_MAP, SECRET, SERVICE, DEPLOYMENT, STATEFUL_SET, JOB, PYTORCH_JOB, ROLE, ROLE_BINDING,
    ACCESS_REVIEW,
)  # fmt: skip
_BY_PATH = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}
_BY_NAME = {(kind.api_version, kind.kind): kind for kind in KINDS}


def at_path(group: str, version: str, plural: str) -> Kind | None:
    """Return the kind whose objects a path names."""
    return _BY_PATH.get((group, version, plural))


def of_object(body: dict[str, Any]) -> Kind | None:
    """Return the kind that an object says to be of."""
    return _BY_NAME.get((str(body.get("apiVersion")), str(body.get("kind"))))
