"""Policy documents: read once, checked whole, kept by their text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from nova_constructs.emulator.iam.conditions import ConditionTest, parse_conditions
from nova_constructs.emulator.iam.context import Context
from nova_constructs.emulator.iam.errors import EvaluationError
from nova_constructs.emulator.iam.matching import matches, matches_resource, substitute
from nova_constructs.emulator.iam.principals import PrincipalElement, parse_principal

_VERSIONS: Final = ("2012-10-17", "2008-10-17")
_ELEMENTS: Final = frozenset(
    ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition")
)
_ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")


class PolicyKind(Enum):
    """Where a document is attached, which decides the elements that it must and must not have."""

    IDENTITY = "identity-based"
    RESOURCE = "resource-based"
    TRUST = "trust"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One parsed statement."""

    sid: str
    allows: bool
    actions: tuple[str, ...]
    except_actions: bool
    resources: tuple[str, ...]
    except_resources: bool
    principal: PrincipalElement | None
    except_principal: bool
    tests: tuple[ConditionTest, ...]
    substitutes: bool

    def covers(self, action: str, resource: str, context: Context) -> bool:
        """Tell whether action, resource and conditions of a call all match."""
        return self.covers_action(action) and self._covers_resource(resource, context) and self.holds(context)

    def covers_action(self, action: str) -> bool:
        """Tell whether the Action or NotAction element matches, without regard to case."""
        found = any(matches(pattern, action, ignore_case=True) for pattern in self.actions)
        return found != self.except_actions

    def _covers_resource(self, resource: str, context: Context) -> bool:
        if not self.resources:
            return True
        patterns = [substitute(text, context.text) if self.substitutes else text for text in self.resources]
        if self.except_resources and None in patterns:
            raise EvaluationError(f"statement {self.sid!r} has a variable without a value in NotResource")
        found = any(pattern is not None and matches_resource(pattern, resource) for pattern in patterns)
        return found != self.except_resources

    def holds(self, context: Context) -> bool:
        """Tell whether every condition holds."""
        return all(test.holds(context) for test in self.tests)


@lru_cache(maxsize=2048)
def parse_document(text: str, kind: PolicyKind) -> tuple[Statement, ...]:
    """Read a policy document; raises EvaluationError for anything that IAM would not accept."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise EvaluationError(f"a policy document is not JSON: {error}") from None
    if not isinstance(document, Mapping) or "Statement" not in document:
        raise EvaluationError("a policy document has no Statement")
    version = document.get("Version", "2008-10-17")
    if version not in _VERSIONS or set(document) - {"Version", "Id", "Statement"}:
        raise EvaluationError(f"unknown policy version {version!r} or elements {sorted(document)}")
    listed = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    statements = tuple(_statement(raw, kind, substitutes=version == _VERSIONS[0]) for raw in listed)
    _check_sids([statement.sid for statement in statements if statement.sid])
    return statements


def _check_sids(sids: list[str]) -> None:
    if len(set(sids)) != len(sids):
        raise EvaluationError(f"a policy document uses a Sid twice: {sorted(sids)}")


def _statement(raw: Any, kind: PolicyKind, *, substitutes: bool) -> Statement:
    if not isinstance(raw, Mapping) or set(raw) - _ELEMENTS:
        raise EvaluationError(f"malformed statement {raw!r}")
    if raw.get("Effect") not in ("Allow", "Deny"):
        raise EvaluationError(f"statement {raw.get('Sid', '')!r} has Effect {raw.get('Effect')!r}")
    actions, except_actions = _one_of(raw, "Action", required=True)
    resources, except_resources = _one_of(raw, "Resource", required=kind is not PolicyKind.TRUST)
    principal, except_principal = _principal(raw, kind)
    for action in actions:
        if not _ACTION.fullmatch(action):
            raise EvaluationError(f"malformed action {action!r}")
    for resource in resources:
        if resource != "*" and not resource.startswith(("arn:", "${")):
            raise EvaluationError(f"resource {resource!r} is neither an ARN nor *")
    return Statement(
        sid=raw.get("Sid", ""),
        allows=raw["Effect"] == "Allow",
        actions=actions,
        except_actions=except_actions,
        resources=resources,
        except_resources=except_resources,
        principal=principal,
        except_principal=except_principal,
        tests=parse_conditions(raw.get("Condition"), substitutes=substitutes),
        substitutes=substitutes,
    )


def _one_of(raw: Mapping[str, Any], name: str, *, required: bool) -> tuple[tuple[str, ...], bool]:
    """Read an element or its Not form; both, or neither where one is required, is malformed."""
    negated = f"Not{name}"
    if (name in raw) and (negated in raw):
        raise EvaluationError(f"a statement has both {name} and {negated}")
    if name not in raw and negated not in raw:
        if required:
            raise EvaluationError(f"a statement has neither {name} nor {negated}")
        return (), False
    value = raw.get(name, raw.get(negated))
    listed = tuple(value) if isinstance(value, list) else (value,)
    if not listed or not all(isinstance(item, str) for item in listed):
        raise EvaluationError(f"malformed {name}: {value!r}")
    return listed, negated in raw


def _principal(raw: Mapping[str, Any], kind: PolicyKind) -> tuple[PrincipalElement | None, bool]:
    named = [element for element in ("Principal", "NotPrincipal") if element in raw]
    if kind is PolicyKind.IDENTITY:
        if named:
            raise EvaluationError("an identity-based policy names a principal")
        return None, False
    if len(named) != 1:
        raise EvaluationError(f"a {kind.value} policy needs one of Principal and NotPrincipal")
    if named[0] == "NotPrincipal" and raw["Effect"] == "Allow":
        raise EvaluationError("NotPrincipal with Allow covers everybody; the evaluator refuses it")
    return parse_principal(raw[named[0]]), named[0] == "NotPrincipal"
