"""Which granted permissions were used, and which of the rest are accounted for.

A permission is named `<role construct>#<Sid>:<action>`, for example `Plan/Plan#ReadDataset:s3:GetObjectVersion`: the
role's construct path below its customization, the statement's Sid and the action as the template grants it. A role
that the template only names goes by the path of the policy that it gets.
`iam_evidence.json` lists the permissions that another tested path uses (`proven`) and those that AWS requires and the
emulator does not model (`required_by_aws`, each with its reason and source).
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EVIDENCE_FILE = Path(__file__).with_name("iam_evidence.json")

_POLICY_TYPES = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
_ROLE_TYPE = "AWS::IAM::Role"


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Permission:
    """Name one action of one statement of one role, as the template grants it."""

    role: str
    sid: str
    action: str
    role_logical_id: str = field(compare=False)
    """Of a role that the template only names, its name."""

    def __str__(self) -> str:
        """Return the name under which the evidence file lists this permission."""
        return f"{self.role}#{self.sid}:{self.action}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Hold the checked-in table: permission name → path that uses it, or reason and source."""

    proven: Mapping[str, str] = field(default_factory=dict)
    required_by_aws: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path = EVIDENCE_FILE) -> Evidence:
        """Read the table; one that does not exist yet is empty.

        Raises ValueError for an entry of `required_by_aws` without a reason or a source.
        """
        if not path.is_file():
            return cls()
        document = json.loads(path.read_text(encoding="utf-8"))
        required = document.get("required_by_aws", {})
        for name, entry in required.items():
            if not entry.get("reason") or not entry.get("source"):
                raise ValueError(f"{path.name}: {name} needs a reason and a source")
        return cls(proven=document.get("proven", {}), required_by_aws=required)

    def requires(self, name: str) -> bool:
        """Tell whether AWS requires a permission; the table's names may hold wildcards."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.required_by_aws)


@dataclass(frozen=True, kw_only=True, slots=True)
class PermissionUse:
    """Split the granted permissions by how they are accounted for."""

    used: tuple[Permission, ...]
    proven: tuple[Permission, ...]
    required_by_aws: tuple[Permission, ...]
    unused: tuple[Permission, ...]


def granted_in(assembly: Path, stack: str) -> tuple[Permission, ...]:
    """List every permission that a stack of a synthesized cloud assembly allows its roles, sorted by name."""
    template = json.loads((assembly / f"{stack}.template.json").read_text(encoding="utf-8"))
    return granted(template, construct_paths(assembly, stack))


def granted(template: Mapping[str, Any], paths: Mapping[str, str] | None = None) -> tuple[Permission, ...]:
    """List every permission that a template allows its roles, sorted by name.

    `paths` maps logical ids to construct paths, for a template that does not carry them as `aws:cdk:path`; a role
    whose path is not known goes by its logical id.
    """
    resources: Mapping[str, Any] = template.get("Resources", {})
    return tuple(sorted(set(_granted(resources, paths or {}))))


def construct_paths(assembly: Path, stack: str) -> dict[str, str]:
    """Return the construct path of each logical id of a stack, as the cloud assembly records it."""
    artifact = json.loads((assembly / "manifest.json").read_text(encoding="utf-8"))["artifacts"][stack]
    metadata = artifact.get("metadata")
    if metadata is None:
        # Newer assemblies keep it beside the manifest.
        metadata = json.loads((assembly / f"{stack}.metadata.json").read_text(encoding="utf-8"))
    return {
        entry["data"]: path.lstrip("/")
        for path, entries in metadata.items()
        for entry in entries
        if entry["type"] == "aws:cdk:logicalId"
    }


def account(
    permissions: Iterable[Permission],
    *,
    used: Set[tuple[str, str, str]],
    physical_ids: Mapping[str, str],
    evidence: Evidence,
) -> PermissionUse:
    """Split permissions into used, proven elsewhere, required by AWS and unused.

    `used` holds (role name, Sid, action) triples as the emulator recorded them; `physical_ids` maps logical to
    physical ids of the deployed stack. A granted wildcard is used when any action that it covers was.
    """
    split: dict[str, list[Permission]] = {"used": [], "proven": [], "required": [], "unused": []}
    actions = _actions_by_statement(used)
    for permission in permissions:
        role_name = physical_ids.get(permission.role_logical_id, permission.role_logical_id)
        if _covers_any(permission.action, actions.get((role_name, permission.sid), set())):
            split["used"].append(permission)
        elif str(permission) in evidence.proven:
            split["proven"].append(permission)
        elif evidence.requires(str(permission)):
            split["required"].append(permission)
        else:
            split["unused"].append(permission)
    return PermissionUse(
        used=tuple(split["used"]),
        proven=tuple(split["proven"]),
        required_by_aws=tuple(split["required"]),
        unused=tuple(split["unused"]),
    )


def construct_path(cdk_path: str) -> str:
    """Return the path of the construct that owns a role, below its stack and customization: `Plan/Plan`.

    The same in every app, so that one table serves all. Trailing role, policy and resource ids are left out.
    """
    parts = cdk_path.split("/")[2:]
    while len(parts) > 1 and (parts[-1] in {"Resource", "DefaultPolicy", "Policy"} or parts[-1].startswith("Role")):
        parts.pop()
    return "/".join(parts)


def _granted(resources: Mapping[str, Any], paths: Mapping[str, str]) -> Iterator[Permission]:
    for logical_id, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] == _ROLE_TYPE:
            for policy in properties.get("Policies", ()):
                yield from _allowed(policy["PolicyDocument"], resources, paths, logical_id)
        elif resource["Type"] in _POLICY_TYPES:
            for role in properties.get("Roles", ()):
                if isinstance(role, Mapping) and role.get("Ref") in resources:
                    yield from _allowed(properties["PolicyDocument"], resources, paths, role["Ref"])
                elif isinstance(role, str):
                    # A role that is there already, by its name: it has no construct but the policy's.
                    yield from _allowed(properties["PolicyDocument"], resources, paths, logical_id, known_as=role)


def _allowed(
    document: Mapping[str, Any],
    resources: Mapping[str, Any],
    paths: Mapping[str, str],
    owner_id: str,
    known_as: str | None = None,
) -> Iterator[Permission]:
    path = resources[owner_id].get("Metadata", {}).get("aws:cdk:path") or paths.get(owner_id)
    role = construct_path(path) if path else owner_id
    for number, statement in enumerate(_listed(document["Statement"])):
        if statement["Effect"] != "Allow":
            continue
        sid = statement.get("Sid", f"Statement{number}")
        for action in _listed(statement.get("Action", "*")):
            yield Permission(role=role, sid=sid, action=action, role_logical_id=known_as or owner_id)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _actions_by_statement(used: Set[tuple[str, str, str]]) -> dict[tuple[str, str], set[str]]:
    actions: dict[tuple[str, str], set[str]] = {}
    for role_name, sid, action in used:
        actions.setdefault((role_name, sid), set()).add(action)
    return actions


def _covers_any(pattern: str, actions: Set[str]) -> bool:
    return any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for action in actions)
