"""Who may do what: Roles and RoleBindings in the cluster's own store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nova_constructs.emulator.kubernetes.authentication import Caller
from nova_constructs.emulator.kubernetes.kinds import ROLE, ROLE_BINDING
from nova_constructs.emulator.kubernetes.status import StatusError
from nova_constructs.emulator.kubernetes.store import ObjectStore

ADMINISTRATORS = "system:masters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a caller wants to do; `resource` is the plural, with `/subresource` where there is one."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


def check(store: ObjectStore, caller: Caller, attempt: Attempt) -> None:
    """Raise StatusError 403 unless a Role allows the attempt."""
    if allowed(store, caller, attempt):
        return
    where = f'in the namespace "{attempt.namespace}"' if attempt.namespace else "at the cluster scope"
    target = f"{attempt.resource.split('/')[0]}.{attempt.group}" if attempt.group else attempt.resource.split("/")[0]
    named = f' "{attempt.name}"' if attempt.name else ""
    message = (
        f'{target}{named} is forbidden: User "{caller.name}" cannot {attempt.verb} resource "{attempt.resource}" '
        f'in API group "{attempt.group}" {where}'
    )
    details = {"name": attempt.name, "group": attempt.group, "kind": attempt.resource}
    raise StatusError(403, message, details={name: value for name, value in details.items() if value})


def allowed(store: ObjectStore, caller: Caller, attempt: Attempt) -> bool:
    """Tell whether a Role that is bound to the caller in the namespace allows the attempt."""
    if ADMINISTRATORS in caller.groups:
        return True
    if not attempt.namespace:
        return False
    with store.lock:
        for binding in store.all(ROLE_BINDING, attempt.namespace):
            if any(_is(subject, caller) for subject in binding.get("subjects") or ()):
                role = store.find(ROLE, attempt.namespace, binding["roleRef"]["name"])
                if role and any(_covers(rule, attempt) for rule in role.get("rules") or ()):
                    return True
    return False


def _is(subject: Mapping[str, Any], caller: Caller) -> bool:
    if subject["kind"] == "Group":
        return str(subject["name"]) in caller.groups
    return bool(subject["kind"] == "User" and subject["name"] == caller.name)


def _covers(rule: Mapping[str, Any], attempt: Attempt) -> bool:
    names = rule.get("resourceNames") or []
    return (
        _in(attempt.verb, rule["verbs"])
        and _in(attempt.group, rule.get("apiGroups") or [])
        and _in(attempt.resource, rule.get("resources") or [])
        and (not names or attempt.name in names)
    )


def _in(value: str, allowed_values: list[str]) -> bool:
    return "*" in allowed_values or value in allowed_values
