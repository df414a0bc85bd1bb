"""Who calls: role sessions, users, AWS services and the operator; and the Principal element of resource policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from nova_constructs.emulator.iam.errors import EvaluationError


class Kind(Enum):
    """The kinds of caller that the emulator knows."""

    ROLE = "AssumedRole"
    USER = "User"
    SERVICE = "AWSService"
    OPERATOR = "Operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A caller; `arn` is what AWS shows in messages, `issuer_arn` the role or user behind it (empty for services)."""

    kind: Kind
    account: str
    arn: str
    issuer_arn: str = ""
    service: str = ""

    @property
    def name(self) -> str:
        """Give the role or user name, or the service's principal name."""
        return self.issuer_arn.rsplit("/", 1)[-1] or self.service

    @property
    def names(self) -> tuple[str, ...]:
        """Give every identifier that a Principal element may use for this caller alone."""
        return (self.service,) if self.kind is Kind.SERVICE else (self.arn, self.issuer_arn)


def role_session(role_arn: str, session_name: str) -> Principal:
    """Give the principal of a session of a role, as sts:GetCallerIdentity names it."""
    partition, account, name = role_arn.split(":")[1], role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    arn = f"arn:{partition}:sts::{account}:assumed-role/{name}/{session_name}"
    return Principal(kind=Kind.ROLE, account=account, arn=arn, issuer_arn=role_arn)


def service(name: str, account: str) -> Principal:
    """Give an AWS service, such as events.amazonaws.com, that acts for resources of an account."""
    return Principal(kind=Kind.SERVICE, account=account, arn=name, service=name)


class Match(Enum):
    """How a Principal element covers a caller: by naming it or everyone, by delegating to its account, or not."""

    NAMED = "named"
    ACCOUNT = "account"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalElement:
    """A parsed Principal or NotPrincipal element."""

    aws: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    everyone: bool = False

    def match(self, principal: Principal) -> Match:
        """Tell how this element covers a caller."""
        if self.everyone:
            return Match.NAMED
        if principal.kind is Kind.SERVICE:
            return Match.NAMED if principal.service in self.services else Match.NONE
        if "*" in self.aws or any(name in self.aws for name in principal.names):
            return Match.NAMED
        roots = (principal.account, f"arn:{_partition(principal)}:iam::{principal.account}:root")
        return Match.ACCOUNT if any(root in self.aws for root in roots) else Match.NONE


_KINDS = frozenset(("AWS", "Service", "Federated", "CanonicalUser"))


def parse_principal(element: Any) -> PrincipalElement:
    """Read a Principal element; raises EvaluationError for a shape that IAM does not have."""
    if element == "*":
        return PrincipalElement(everyone=True)
    if not isinstance(element, Mapping) or not element or set(element) - _KINDS:
        raise EvaluationError(f"malformed Principal {element!r}")
    listed = {kind: _listed(value) for kind, value in element.items()}
    return PrincipalElement(
        aws=listed.get("AWS", ()),
        services=listed.get("Service", ()),
        others=listed.get("Federated", ()) + listed.get("CanonicalUser", ()),
    )


def _listed(value: Any) -> tuple[str, ...]:
    names = tuple(value) if isinstance(value, list) else (value,)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise EvaluationError(f"malformed Principal {value!r}")
    if any("*" in name and name != "*" for name in names):
        raise EvaluationError(f"a principal takes no partial wildcard: {value!r}")
    return names


def _partition(principal: Principal) -> str:
    return principal.arn.split(":")[1] if principal.arn.startswith("arn:") else "aws"
