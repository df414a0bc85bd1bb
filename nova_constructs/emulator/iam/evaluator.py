"""The decision: explicit deny first, then the policies that can allow, then no."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from nova_constructs.emulator.iam.context import Context
from nova_constructs.emulator.iam.documents import PolicyKind, Statement
from nova_constructs.emulator.iam.principals import Kind, Match, Principal


class Effect(Enum):
    """The three outcomes, in the words of the IAM policy simulator."""

    ALLOW = "allowed"
    IMPLICIT_DENY = "implicitDeny"
    EXPLICIT_DENY = "explicitDeny"


class Rule(Enum):
    """Which policies must agree before a call is allowed.

    EITHER is the common case inside one account. KEY is for KMS keys and role trust: the resource's own policy must
    name the caller, or leave the matter to its account. BOTH is for resources of another account. IDENTITY is for
    resources that AWS owns and opens to everyone.
    """

    EITHER = "either"
    KEY = "key"
    BOTH = "both"
    IDENTITY = "identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A parsed policy and the name under which its statements are reported."""

    name: str
    kind: PolicyKind
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question: may this principal do this action on this resource?"""

    principal: Principal
    action: str
    resource: str
    context: Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer, the statement that gave it as (policy name, Sid), and AWS's sentence for a refusal."""

    effect: Effect
    statement: tuple[str, str] | None = None
    kind: PolicyKind | None = None
    reason: str = ""

    @property
    def allowed(self) -> bool:
        """Tell whether the call may go on."""
        return self.effect is Effect.ALLOW


def evaluate(
    request: Request, identity: Sequence[Policy], resource: Policy | None = None, rule: Rule = Rule.EITHER
) -> Decision:
    """Decide one request; raises EvaluationError when a statement that could matter has no known meaning."""
    hits = [*_hits(request, identity), *_hits(request, [resource] if resource else [])]
    for policy, statement, _ in hits:
        if not statement.allows:
            reason = f"with an explicit deny in {_article(policy.kind)} policy"
            return _decided(Effect.EXPLICIT_DENY, policy, statement, reason)
    by_identity = next((hit for hit in hits if hit[0].kind is PolicyKind.IDENTITY), None)
    by_resource = next((hit for hit in hits if hit[0].kind is not PolicyKind.IDENTITY and hit[2] is Match.NAMED), None)
    delegated = any(hit[0].kind is not PolicyKind.IDENTITY and hit[2] is Match.ACCOUNT for hit in hits)
    return _allow_or_not(request, rule, by_identity, by_resource, delegated)


_Hit = tuple[Policy, Statement, Match]


def _hits(request: Request, policies: Sequence[Policy]) -> Iterator[_Hit]:
    """Give the statements that cover a request, with the way in which each covers the caller."""
    for policy in policies:
        for statement in policy.statements:
            match = covers_principal(statement, request.principal)
            if match is not Match.NONE and statement.covers(request.action, request.resource, request.context):
                yield policy, statement, match


def covers_principal(statement: Statement, principal: Principal) -> Match:
    """Tell how a statement covers a caller; an identity-based one covers whom it is attached to."""
    if statement.principal is None:
        return Match.NAMED
    if not statement.except_principal:
        return statement.principal.match(principal)
    return Match.NONE if _all_named(statement, principal) else Match.NAMED


def _all_named(statement: Statement, principal: Principal) -> bool:
    """Tell whether NotPrincipal exempts a caller: it must list the account, the role and the session."""
    element = statement.principal
    if element is None or principal.kind is Kind.SERVICE:
        return element is not None and principal.service in element.services
    return all(name in element.aws for name in principal.names) and (
        principal.account in element.aws or f"arn:aws:iam::{principal.account}:root" in element.aws
    )


def _allow_or_not(
    request: Request, rule: Rule, identity: _Hit | None, resource: _Hit | None, delegated: bool
) -> Decision:
    if request.principal.kind is Kind.SERVICE:
        return _allow(resource) if resource else _missing(request, PolicyKind.RESOURCE)
    if rule is Rule.IDENTITY:
        return _allow(identity) if identity else _missing(request, PolicyKind.IDENTITY)
    if rule is Rule.BOTH:
        if identity and (resource or delegated):
            return _allow(identity)
        return _missing(request, PolicyKind.RESOURCE if identity else PolicyKind.IDENTITY)
    if rule is Rule.KEY:
        if identity and delegated:
            return _allow(identity)
        lacking = PolicyKind.IDENTITY if delegated else PolicyKind.RESOURCE
        return _allow(resource) if resource else _missing(request, lacking)
    granting = identity or resource
    return _allow(granting) if granting else _missing(request, PolicyKind.IDENTITY)


def _allow(hit: _Hit) -> Decision:
    return _decided(Effect.ALLOW, hit[0], hit[1], "")


def _decided(effect: Effect, policy: Policy, statement: Statement, reason: str) -> Decision:
    return Decision(effect=effect, statement=(policy.name, statement.sid), kind=policy.kind, reason=reason)


def _missing(request: Request, kind: PolicyKind) -> Decision:
    reason = f"because no {kind.value} policy allows the {request.action} action"
    return Decision(effect=Effect.IMPLICIT_DENY, reason=reason)


def _article(kind: PolicyKind) -> str:
    return f"an {kind.value}" if kind is PolicyKind.IDENTITY else f"a {kind.value}"
