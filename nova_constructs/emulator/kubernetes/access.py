"""Access entries of EKS clusters: which role is which user of which groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True, kw_only=True)
class AccessEntry:
    """One entry; `username` may hold {{SessionName}}."""

    arn: str
    principal: str
    groups: tuple[str, ...]
    username: str
    created: datetime
    modified: datetime
    type: str = "STANDARD"
    tags: dict[str, str] = field(default_factory=dict)

    def user(self, caller_arn: str) -> str:
        """Give the user name of a caller."""
        session = caller_arn.rsplit("/", 1)[-1] if ":assumed-role/" in caller_arn else ""
        return self.username.replace("{{SessionName}}", session)


@dataclass(slots=True)
class AccessEntries:
    """The entries of one cluster by the ARN of the role or user."""

    by_principal: dict[str, AccessEntry] = field(default_factory=dict)

    def of(self, caller_arn: str) -> AccessEntry | None:
        """Return the entry of a caller, whose ARN is as GetCallerIdentity gives it."""
        return self.by_principal.get(principal_of(caller_arn)) or _by_role_name(self.by_principal, caller_arn)


def principal_of(caller_arn: str) -> str:
    """Turn the ARN of a role's session into that of the role."""
    partition, _, rest = caller_arn.partition(":sts::")
    account, _, path = rest.partition(":assumed-role/")
    return f"{partition}:iam::{account}:role/{path.split('/')[0]}" if path else caller_arn


def _by_role_name(entries: Mapping[str, AccessEntry], caller_arn: str) -> AccessEntry | None:
    """Find the entry of a role with a path, which the ARN of its session does not show."""
    wanted = principal_of(caller_arn)
    prefix, name = wanted.split("role/")[0] + "role/", wanted.rsplit("/", 1)[-1]
    found: Sequence[AccessEntry] = [
        entry for arn, entry in entries.items() if arn.startswith(prefix) and arn.rsplit("/", 1)[-1] == name
    ]
    return found[0] if found else None
