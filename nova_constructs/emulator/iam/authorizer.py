"""Checks every permission that a call needs, and records each check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Final

from nova_constructs.emulator.iam.actions import Need
from nova_constructs.emulator.iam.actions.call import ContextValues
from nova_constructs.emulator.iam.context import Context, Lazy, Value
from nova_constructs.emulator.iam.documents import PolicyKind
from nova_constructs.emulator.iam.errors import AccessDeniedError, EvaluationError
from nova_constructs.emulator.iam.evaluator import Decision, Policy, Request, Rule, evaluate
from nova_constructs.emulator.iam.identity_policies import identity_policies
from nova_constructs.emulator.iam.principals import Kind, Principal
from nova_constructs.emulator.iam.recorder import Call, Recorder
from nova_constructs.emulator.iam.resource_policies import ResourcePolicies
from nova_constructs.emulator.iam.tags import Tags

# Buckets that AWS owns and opens by its own policy: JumpStart's content and the escrow of trained Nova weights.
AWS_BUCKETS: Final = ("jumpstart-cache-prod-", "jumpstart-private-cache-prod-", "customer-escrow-")
# Accounts of the Nova training and evaluation images ("Nova customization on SageMaker training jobs").
AWS_REGISTRIES: Final = frozenset(("708977205387", "176779409107", "878185805882", "470633809225"))
_NO_CONTEXT: Final[ContextValues] = {}


class Authorizer:
    """Decides for one account; `now` gives the instant that policies see."""

    def __init__(
        self,
        *,
        account: str,
        region: str,
        policies: ResourcePolicies,
        tags: Tags,
        recorder: Recorder,
        now: Callable[[], datetime],
    ) -> None:
        self._account = account
        self._region = region
        self._policies = policies
        self._tags = tags
        self._recorder = recorder
        self._now = now

    def check(
        self, principal: Principal, needs: Iterable[Need], *, source: str, common: ContextValues = _NO_CONTEXT
    ) -> None:
        """Let a call pass only if each need is allowed.

        Raises AccessDeniedError with AWS's message at the first that is not, EvaluationError at the first that cannot
        be judged.
        """
        for need in needs:
            decision = self._judged(principal, need, source, common)
            if not decision.allowed:
                raise AccessDeniedError(refusal(principal, need, decision))

    def decide(self, principal: Principal, need: Need, common: ContextValues = _NO_CONTEXT) -> Decision:
        """Judge one need without recording it."""
        request = Request(
            principal=principal,
            action=need.action,
            resource=need.resource,
            context=self._context(principal, need, common),
        )
        return evaluate(request, identity_policies(principal), self._policy_of(need), self._rule(need))

    def _judged(self, principal: Principal, need: Need, source: str, common: ContextValues) -> Decision:
        try:
            decision = self.decide(principal, need, common)
        except EvaluationError as error:
            self._record(principal, need, source, outcome="error", reason=str(error))
            raise
        self._record(principal, need, source, outcome=decision.effect.value, reason=decision.reason, decision=decision)
        return decision

    def record_error(self, principal: Principal, operation: str, error: EvaluationError) -> None:
        """Record a call for which not even the needs could be told."""
        need = Need(action=operation, resource="*")
        self._record(principal, need, operation, outcome="error", reason=str(error))

    def _record(
        self,
        principal: Principal,
        need: Need,
        source: str,
        *,
        outcome: str,
        reason: str,
        decision: Decision | None = None,
    ) -> None:
        self._recorder.add(
            Call(
                principal_arn=principal.arn,
                role_name="" if principal.kind is Kind.SERVICE else principal.name,
                action=need.action,
                resource=need.resource,
                decision=outcome,
                statement=decision.statement if decision else None,
                source=source,
                by_role=bool(decision and decision.allowed and decision.kind is PolicyKind.IDENTITY),
                reason=reason,
            )
        )

    def _policy_of(self, need: Need) -> Policy | None:
        """Give the resource's policy; the trust policy of a role counts for assuming it, not for passing it."""
        if ":role/" in need.resource and not need.action.startswith("sts:"):
            return None
        return self._policies.of(need.resource)

    def _rule(self, need: Need) -> Rule:
        parts = need.resource.split(":")
        if need.action.startswith("kms:") or need.action == "sts:AssumeRole":
            return Rule.KEY
        if need.resource.startswith("arn:aws:s3:::"):
            return Rule.IDENTITY if parts[-1].startswith(AWS_BUCKETS) else Rule.EITHER
        owner = parts[4] if len(parts) > len(["arn", "partition", "service", "region", ""]) - 1 else ""
        if owner in ("", self._account):
            return Rule.EITHER
        public = owner == "aws" or (parts[2] == "ecr" and owner in AWS_REGISTRIES)
        return Rule.IDENTITY if public else Rule.BOTH

    def _context(self, principal: Principal, need: Need, common: ContextValues) -> Context:
        families: dict[str, Callable[[], Mapping[str, str]]] = {
            "aws:ResourceTag/": lambda: self._tags.of(need.resource)
        }
        for prefix in ("aws:RequestTag/", "kms:EncryptionContext:"):
            families[prefix] = partial(_members, need.context, prefix)
        if principal.kind is Kind.ROLE:
            families["aws:PrincipalTag/"] = lambda: self._tags.of_role(principal.issuer_arn)
        return Context({**self._base(principal), **common, **need.context}, families)

    def _base(self, principal: Principal) -> dict[str, Value | Lazy | None]:
        is_service = principal.kind is Kind.SERVICE
        return {
            "aws:PrincipalAccount": None if is_service else principal.account,
            "aws:PrincipalArn": None if is_service else principal.issuer_arn,
            "aws:PrincipalIsAWSService": str(is_service).lower(),
            "aws:PrincipalServiceName": principal.service or None,
            "aws:PrincipalType": None if is_service else principal.kind.value,
            "aws:username": principal.name if principal.kind is Kind.USER else None,
            "aws:RequestedRegion": self._region,
            "aws:ResourceAccount": self._account,
            "s3:ResourceAccount": self._account,
            "aws:SecureTransport": "true",
            "aws:ViaAWSService": "false",
            "aws:CurrentTime": lambda: self._now().isoformat(),
            "aws:EpochTime": lambda: str(int(self._now().timestamp())),
        }


def _members(context: ContextValues, prefix: str) -> Mapping[str, str]:
    lowered = prefix.lower()
    return {
        key[len(prefix) :]: value
        for key, value in context.items()
        if key.lower().startswith(lowered) and isinstance(value, str)
    }


def refusal(principal: Principal, need: Need, decision: Decision) -> str:
    """Give AWS's sentence for a refusal."""
    who = f"User: {principal.arn}" if principal.kind is not Kind.SERVICE else f"Service: {principal.arn}"
    return f"{who} is not authorized to perform: {need.action} on resource: {need.resource} {decision.reason}"
