"""Policies of roles and users, as moto keeps them.

Parsed documents are kept by their text, so that a changed policy needs no notice and an unchanged one no work.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from moto.iam.models import iam_backends

from nova_constructs.emulator.iam.documents import PolicyKind, parse_document
from nova_constructs.emulator.iam.errors import EvaluationError
from nova_constructs.emulator.iam.evaluator import Policy
from nova_constructs.emulator.iam.principals import Kind, Principal


def identity_policies(principal: Principal) -> list[Policy]:
    """Give the policies attached to a caller, none for a service.

    Raises EvaluationError for a permissions boundary, which would be an allow too many if it were left out.
    """
    if principal.kind is Kind.SERVICE:
        return []
    backend = iam_backends[principal.account]["aws"]
    holder = find_role(principal.issuer_arn) if principal.kind is Kind.ROLE else backend.users.get(principal.name)
    if holder is None:
        return []
    if getattr(holder, "permissions_boundary", None):
        raise EvaluationError(f"{principal.issuer_arn} has a permissions boundary, which is not evaluated")
    holders = [holder]
    if principal.kind is Kind.USER:
        holders += backend.get_groups_for_user(principal.name)
    return [policy for each in holders for policy in _attached(each)]


def find_role(role_arn: str) -> Any:
    """Give moto's role of an ARN, None if there is none."""
    roles = iam_backends[role_arn.split(":")[4]]["aws"].roles
    return next((role for role in list(roles.values()) if role.arn == role_arn), None)


def _attached(holder: Any) -> Iterator[Policy]:
    for name, document in list(holder.policies.items()):
        yield _policy(name, document)
    for managed in list(holder.managed_policies.values()):
        default = next(version for version in managed.versions if version.is_default)
        yield _policy(managed.name, default.document)


def _policy(name: str, document: Any) -> Policy:
    text = document if isinstance(document, str) else json.dumps(document)
    return Policy(name=name, kind=PolicyKind.IDENTITY, statements=parse_document(text, PolicyKind.IDENTITY))
