"""What the functions do in a cluster: the rules that their group needs in the namespace of the jobs, and no more.

An access entry gives a role its group; the Role and the RoleBinding that let the group do something are the cluster's
own, so that its admin has to apply them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from lambda_handlers.hyperpod.kinds import KINDS, PYTORCH_JOB

_MADE: Final = ("create", "delete", "get")
_MADE_OF: Final = ("ConfigMap", PYTORCH_JOB)
_MADE_OF_BY_RFT: Final = ("Deployment", "Job", "Secret", "Service", "StatefulSet")
_LOOKED_AT: Final = ("Pod", "Event")
ROLE_NAME: Final = "nova-constructs-jobs"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Allow verbs on one resource of an API group, which is empty for the core API."""

    group: str
    resource: str
    verbs: tuple[str, ...]

    def __str__(self) -> str:
        """Return the resource as people name it, `pytorchjobs.kubeflow.org`."""
        return f"{self.resource}.{self.group}" if self.group else self.resource


def rules(*, reinforcement: bool) -> list[Rule]:
    """Return what jobs need; those of reinforcement fine-tuning are made of more kinds of objects."""
    made_of = (*_MADE_OF, *(_MADE_OF_BY_RFT if reinforcement else ()))
    return [*(_rule(kind, _MADE) for kind in made_of), *(_rule(kind, ("list",)) for kind in _LOOKED_AT)]


def documents(namespace: str, group: str, *, reinforcement: bool = True) -> Iterator[dict[str, Any]]:
    """Yield the Role and the RoleBinding of a Kubernetes group."""
    api = "rbac.authorization.k8s.io"
    metadata = {"name": ROLE_NAME, "namespace": namespace}
    yield {
        "apiVersion": f"{api}/v1",
        "kind": "Role",
        "metadata": metadata,
        "rules": [
            {"apiGroups": [rule.group], "resources": [rule.resource], "verbs": list(rule.verbs)}
            for rule in rules(reinforcement=reinforcement)
        ],
    }
    yield {
        "apiVersion": f"{api}/v1",
        "kind": "RoleBinding",
        "metadata": dict(metadata),
        "roleRef": {"apiGroup": api, "kind": "Role", "name": ROLE_NAME},
        "subjects": [{"apiGroup": api, "kind": "Group", "name": group}],
    }


def _rule(kind: str, verbs: tuple[str, ...]) -> Rule:
    known = KINDS[kind]
    return Rule(group=known.group, resource=known.plural, verbs=verbs)
