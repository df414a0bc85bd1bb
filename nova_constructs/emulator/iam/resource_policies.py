"""Policies attached to resources: of buckets, keys, queues, topics, functions and role trust."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import lambda_backends
from moto.iam.models import iam_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from nova_constructs.emulator.iam.documents import PolicyKind, parse_document
from nova_constructs.emulator.iam.evaluator import Policy
from nova_constructs.emulator.iam.facts import MotoFacts


class ResourcePolicies:
    """The resource-based policies of one account: those that moto keeps, and documents put here for what it drops."""

    def __init__(self, account: str, region: str, facts: MotoFacts) -> None:
        self._account = account
        self._region = region
        self._facts = facts
        self._documents: dict[str, str] = {}

    def put(self, arn: str, document: str | Mapping[str, Any]) -> None:
        """Attach a document to a resource in place of the one that moto has."""
        self._documents[arn] = document if isinstance(document, str) else json.dumps(document)

    def remove(self, arn: str) -> None:
        """Forget the document put on a resource."""
        self._documents.pop(arn, None)

    def clear(self) -> None:
        """Forget every document."""
        self._documents.clear()

    def of(self, arn: str) -> Policy | None:
        """Give the policy that guards a resource, None if it has none."""
        owner = policy_holder(arn)
        document = self._documents.get(owner) or self._from_moto(owner)
        if not document:
            return None
        kind = PolicyKind.TRUST if ":role/" in owner else PolicyKind.RESOURCE
        return Policy(name=f"policy of {owner}", kind=kind, statements=parse_document(document, kind))

    def _from_moto(self, arn: str) -> str | None:
        service = arn.split(":")[2] if arn.startswith("arn:") else ""
        if service == "s3":
            policy = getattr(self._facts.bucket(arn.rsplit(":", 1)[-1]), "policy", None)
            return policy.decode() if isinstance(policy, bytes) else policy
        if service == "kms":
            return self._facts.key_policy(arn)
        if service == "iam":
            return self._trust(arn)
        if service == "sqs":
            queue = sqs_backends[self._account][self._region].queues.get(arn.rsplit(":", 1)[-1])
            return _text(getattr(queue, "policy", None))
        if service == "sns":
            topic = sns_backends[self._account][self._region].topics.get(arn)
            return _text(getattr(topic, "policy", None))
        return self._of_function(arn) if service == "lambda" else None

    def _trust(self, role_arn: str) -> str | None:
        roles = iam_backends[self._account]["aws"].roles
        return next((_text(role.assume_role_policy_document) for role in roles.values() if role.arn == role_arn), None)

    def _of_function(self, arn: str) -> str | None:
        """Give the permissions of a function, or of the version or alias that the ARN names."""
        name, _, qualifier = arn.split(":function:", 1)[1].partition(":")
        try:
            function = lambda_backends[self._account][self._region].get_function(name, qualifier or None)
        except UnknownFunctionException:
            return None
        statements = getattr(getattr(function, "policy", None), "statements", [])
        return json.dumps({"Version": "2012-10-17", "Statement": statements}) if statements else None


def policy_holder(arn: str) -> str:
    """Give the resource whose policy guards another: the bucket of an object."""
    return arn.split("/", 1)[0] if arn.startswith("arn:") and arn.split(":")[2] == "s3" else arn


def _text(document: object) -> str | None:
    if document is None or isinstance(document, str):
        return document or None
    return json.dumps(document)
