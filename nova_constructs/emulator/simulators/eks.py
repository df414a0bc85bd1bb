"""Access entries of Amazon EKS clusters, which moto lacks; clusters are moto's."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from moto.eks import urls
from moto.eks.models import eks_backends
from moto.eks.responses import EKSResponse
from moto.iam.models import iam_backends

from nova_constructs.emulator.kubernetes.access import AccessEntries, AccessEntry
from nova_constructs.emulator.simulators.operations import Parameters, aws_error, serve, undo_all
from nova_constructs.emulator.simulators.paging import page
from nova_constructs.emulator.simulators.state import SimulatorState, Undo
from nova_constructs.emulator.simulators.store import Store, store_of

_TYPES = ("STANDARD",)
_PATHS = (
    "{0}/clusters/(?P<name>[^/]+)/access-entries$",
    "{0}/clusters/(?P<name>[^/]+)/access-entries/(?P<principalArn>.+)$",
)


class EksAccess:
    """The operations on access entries of one account and Region."""

    def __init__(self, state: SimulatorState, store: Store) -> None:
        self._state, self._store = state, store

    def create(self, parameters: Parameters) -> dict[str, Any]:
        """Answer CreateAccessEntry."""
        entries, principal = self._entries(parameters), parameters["principalArn"]
        if principal in entries.by_principal:
            message = "The specified access entry resource is already in use on this cluster."
            raise aws_error("ResourceInUseException", message)
        if parameters.get("type", "STANDARD") not in _TYPES:
            raise NotImplementedError(f"access entries of type {parameters['type']}")
        self._check_principal(principal)
        now = self._state.clock.now()
        entry = AccessEntry(
            arn=self._arn(parameters["clusterName"], principal),
            principal=principal,
            groups=_groups(parameters),
            username=parameters.get("username") or _user_name(principal),
            created=now,
            modified=now,
            tags=dict(parameters.get("tags") or {}),
        )
        entries.by_principal[principal] = entry
        return {"accessEntry": _shown(parameters["clusterName"], entry)}

    def describe(self, parameters: Parameters) -> dict[str, Any]:
        """Answer DescribeAccessEntry."""
        return {"accessEntry": _shown(parameters["clusterName"], self._entry(parameters))}

    def update(self, parameters: Parameters) -> dict[str, Any]:
        """Answer UpdateAccessEntry."""
        entry = self._entry(parameters)
        if "kubernetesGroups" in parameters:
            entry.groups = _groups(parameters)
        entry.username = parameters.get("username") or entry.username
        entry.modified = self._state.clock.now()
        return {"accessEntry": _shown(parameters["clusterName"], entry)}

    def delete(self, parameters: Parameters) -> dict[str, Any]:
        """Answer DeleteAccessEntry."""
        entry = self._entry(parameters)
        del self._entries(parameters).by_principal[entry.principal]
        return {}

    def list(self, parameters: Parameters) -> dict[str, Any]:
        """Answer ListAccessEntries, a page at a time."""
        if parameters.get("associatedPolicyArn"):
            raise NotImplementedError("ListAccessEntries with associatedPolicyArn")
        entries = sorted(self._entries(parameters).by_principal)
        shown, token = page(entries, parameters.get("nextToken"), parameters.get("maxResults") or 100)
        return {"accessEntries": list(shown), **({"nextToken": token} if token else {})}

    def _entries(self, parameters: Parameters) -> AccessEntries:
        name = parameters["clusterName"]
        if name not in eks_backends[self._state.account][self._state.region].clusters:
            raise aws_error("ResourceNotFoundException", f"No cluster found for name: {name}.")
        return self._store.access.setdefault(name, AccessEntries())

    def _entry(self, parameters: Parameters) -> AccessEntry:
        entry = self._entries(parameters).by_principal.get(parameters["principalArn"])
        if entry is None:
            message = f"The specified principalArn could not be found: {parameters['principalArn']}"
            raise aws_error("ResourceNotFoundException", message)
        return entry

    def _check_principal(self, principal: str) -> None:
        backend = iam_backends[self._state.account]["aws"]
        known = {role.arn for role in backend.roles.values()} | {user.arn for user in backend.users.values()}
        if principal not in known:
            message = "The specified principalArn is invalid: invalid principal."
            raise aws_error("InvalidParameterException", message)

    def _arn(self, cluster: str, principal: str) -> str:
        account, resource = principal.split(":")[4], principal.split(":")[5]
        kind, _, name = resource.partition("/")
        path = f"access-entry/{cluster}/{kind}/{account}/{name}/{uuid.uuid4()}"
        return f"arn:aws:eks:{self._state.region}:{self._state.account}:{path}"


def install(state: SimulatorState) -> Undo:
    """Serve the operations, at paths that moto does not know."""
    access = EksAccess(state, store_of(state))
    handler = urls.response.dispatch
    for path in _PATHS:
        urls.url_paths[path] = handler

    def remove_paths() -> None:
        for path in _PATHS:
            urls.url_paths.pop(path, None)

    served = serve(
        EKSResponse,
        {
            "CreateAccessEntry": access.create,
            "DescribeAccessEntry": access.describe,
            "UpdateAccessEntry": access.update,
            "DeleteAccessEntry": access.delete,
            "ListAccessEntries": access.list,
        },
    )
    return undo_all([remove_paths, served])


def _groups(parameters: Parameters) -> tuple[str, ...]:
    groups = tuple(parameters.get("kubernetesGroups") or ())
    for group in groups:
        if group.startswith("system:"):
            message = f"The kubernetes group name {group} is invalid, it cannot start with system:"
            raise aws_error("InvalidParameterException", message)
    return groups


def _user_name(principal: str) -> str:
    """Give the user name that EKS makes of a role's ARN (EKS user guide, "Create access entries")."""
    if ":role/" not in principal:
        return principal
    account, name = principal.split(":")[4], principal.rsplit("/", 1)[-1]
    return f"arn:aws:sts::{account}:assumed-role/{name}/{{{{SessionName}}}}"


def _shown(cluster: str, entry: AccessEntry) -> Mapping[str, Any]:
    return {
        "clusterName": cluster,
        "principalArn": entry.principal,
        "kubernetesGroups": list(entry.groups),
        "accessEntryArn": entry.arn,
        "createdAt": entry.created,
        "modifiedAt": entry.modified,
        "tags": dict(entry.tags),
        "username": entry.username,
        "type": entry.type,
    }
