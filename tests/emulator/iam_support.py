"""Builders for IAM tests: callers, policies, contexts, and facts without any back end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nova_constructs.emulator.iam.actions import ApiCall, Encryption, Need
from nova_constructs.emulator.iam.context import Context, Lazy, Value
from nova_constructs.emulator.iam.documents import PolicyKind, parse_document
from nova_constructs.emulator.iam.evaluator import Decision, Policy, Request, Rule, evaluate
from nova_constructs.emulator.iam.principals import Principal, role_session

ACCOUNT = "123456789012"
REGION = "us-east-1"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/Worker"
KEY_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"


def statement(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    """Make a statement; `Action` and `Resource` default to reading one object."""
    defaults: dict[str, Any] = {"Effect": effect}
    if not {"Action", "NotAction"} & set(elements):
        defaults["Action"] = "s3:GetObject"
    if not {"Resource", "NotResource"} & set(elements):
        defaults["Resource"] = "arn:aws:s3:::data/train.jsonl"
    return {**defaults, **elements}


def document(*statements: dict[str, Any]) -> str:
    """Make a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def policy(*statements: dict[str, Any], name: str = "Inline", kind: PolicyKind = PolicyKind.IDENTITY) -> Policy:
    """Parse statements into a policy."""
    return Policy(name=name, kind=kind, statements=parse_document(document(*statements), kind))


def resource_policy(*statements: dict[str, Any], kind: PolicyKind = PolicyKind.RESOURCE) -> Policy:
    """Parse statements of a resource."""
    return policy(*statements, name="ResourcePolicy", kind=kind)


def decide(
    *policies: Policy,
    action: str = "s3:GetObject",
    resource: str = "arn:aws:s3:::data/train.jsonl",
    context: Mapping[str, Value | Lazy | None] | None = None,
    principal: Principal | None = None,
    guard: Policy | None = None,
    rule: Rule = Rule.EITHER,
) -> Decision:
    """Decide one request of a session of the role Worker."""
    request = Request(
        principal=principal or role_session(ROLE_ARN, "session"),
        action=action,
        resource=resource,
        context=Context(context or {}),
    )
    return evaluate(request, policies, guard, rule)


@dataclass
class FixedFacts:
    """Facts given by a test; everything else exists and is not encrypted."""

    buckets: dict[str, Encryption] = field(default_factory=dict)
    objects: dict[str, Encryption] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    tables: dict[str, Encryption] = field(default_factory=dict)
    queues: dict[str, Encryption] = field(default_factory=dict)
    topics: dict[str, Encryption] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    model_keys: dict[str, str] = field(default_factory=dict)
    partition_keys: dict[tuple[str, str | None], str] = field(default_factory=dict)

    def model_key_arn(self, serving: str) -> str | None:
        return self.model_keys.get(serving)

    def tags(self, arn: str) -> Mapping[str, str]:
        return {}

    def key_arn(self, key: str) -> str | None:
        return KEY_ARN if key in (KEY_ARN, KEY_ARN.rsplit("/", 1)[-1], "alias/nova") else None

    def bucket_encryption(self, bucket: str) -> Encryption | None:
        return self.buckets.get(bucket)

    def object_encryption(self, bucket: str, key: str, version_id: str | None) -> Encryption | None:
        return self.objects.get(f"{bucket}/{key}")

    def upload_encryption(self, bucket: str, upload_id: str) -> Encryption | None:
        return self.buckets.get(bucket)

    def object_exists(self, bucket: str, key: str) -> bool:
        return f"{bucket}/{key}" not in self.missing

    def table_encryption(self, table: str) -> Encryption | None:
        return self.tables.get(table)

    def partition_key(self, table: str, index: str | None) -> str | None:
        return self.partition_keys.get((table, index))

    def queue_encryption(self, queue_arn: str) -> Encryption | None:
        return self.queues.get(queue_arn)

    def topic_encryption(self, topic_arn: str) -> Encryption | None:
        return self.topics.get(topic_arn)

    def custom_model_arn(self, identifier: str) -> str | None:
        return self.models.get(identifier)

    def deployment_arn(self, identifier: str) -> str | None:
        return self.models.get(identifier)

    def throughput_arn(self, identifier: str) -> str | None:
        return self.models.get(identifier)

    def cluster_arn(self, identifier: str) -> str | None:
        """Every cluster exists, with its name for an id."""
        return (
            identifier
            if identifier.startswith("arn:")
            else f"arn:aws:sagemaker:us-east-1:123456789012:cluster/{identifier}"
        )

    def state_machine_of_token(self, token: str) -> str | None:
        return self.tokens.get(token)


def api_call(service: str, operation: str, facts: FixedFacts | None = None, **params: Any) -> ApiCall:
    """Make a call with parameters by API name."""
    return ApiCall(
        service=service,
        operation=operation,
        params=params,
        account=ACCOUNT,
        region=REGION,
        facts=facts or FixedFacts(),
    )


def pairs(found: list[Need]) -> list[tuple[str, str]]:
    """Give action and resource of each need."""
    return [(need.action, need.resource) for need in found]
