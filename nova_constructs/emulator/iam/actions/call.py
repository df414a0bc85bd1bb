"""What the action table works with: an API call, the facts about resources, and the permissions that a call needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from nova_constructs.emulator.iam.context import Lazy, Value
from nova_constructs.emulator.iam.errors import EvaluationError

ContextValues = Mapping[str, Value | Lazy | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """The customer-managed KMS key of a resource; `bucket_key` says that S3 uses a bucket key with it."""

    key_arn: str
    bucket_key: bool = False


class Facts(Protocol):
    """What authorization has to know about existing resources; each answers None for what does not exist."""

    def tags(self, arn: str) -> Mapping[str, str]:
        """Give the tags of a resource; raises EvaluationError for a kind whose tags are not known here."""

    def key_arn(self, key: str) -> str | None:
        """Resolve a KMS key id, alias or ARN to the ARN of a customer-managed key."""

    def bucket_encryption(self, bucket: str) -> Encryption | None:
        """Give the default encryption of a bucket."""

    def object_encryption(self, bucket: str, key: str, version_id: str | None) -> Encryption | None:
        """Give the encryption of an object as it was written."""

    def upload_encryption(self, bucket: str, upload_id: str) -> Encryption | None:
        """Give the encryption with which a multipart upload was started."""

    def object_exists(self, bucket: str, key: str) -> bool:
        """Tell whether a bucket has a current object of this name."""

    def table_encryption(self, table: str) -> Encryption | None:
        """Give the encryption of a DynamoDB table."""

    def partition_key(self, table: str, index: str | None) -> str | None:
        """Give the name of the partition key of a table or of one of its indexes."""

    def queue_encryption(self, queue_arn: str) -> Encryption | None:
        """Give the encryption of an SQS queue."""

    def topic_encryption(self, topic_arn: str) -> Encryption | None:
        """Give the encryption of an SNS topic."""

    def custom_model_arn(self, identifier: str) -> str | None:
        """Give the ARN of a Bedrock custom model that a call names by ARN or by name."""

    def deployment_arn(self, identifier: str) -> str | None:
        """Give the ARN of a custom model deployment that a call names by ARN or by name."""

    def throughput_arn(self, identifier: str) -> str | None:
        """Give the ARN of provisioned throughput that a call names by ARN or by name."""

    def model_key_arn(self, serving: str) -> str | None:
        """Give the KMS key of the model behind a deployment or provisioned throughput (ARN), where it has its own."""

    def invocation_job_arn(self, identifier: str) -> str | None:
        """Give the ARN of a batch inference job that a call names by ARN, None if there is none."""

    def cluster_arn(self, identifier: str) -> str | None:
        """Give the ARN of a HyperPod cluster that a call names by ARN or by name."""

    def state_machine_of_token(self, token: str) -> str | None:
        """Give the ARN of the state machine that handed out a task token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """One API call: the IAM prefix of its service, the name of the operation and its parameters by API name."""

    service: str
    operation: str
    params: Mapping[str, Any]
    account: str
    region: str
    facts: Facts
    partition: str = "aws"

    def arn(self, rest: str, *, service: str | None = None, account: str | None = None) -> str:
        """Build the ARN of a resource of the caller's account and Region."""
        owner = self.account if account is None else account
        return f"arn:{self.partition}:{service or self.service}:{self.region}:{owner}:{rest}"

    def text(self, name: str) -> str:
        """Give a required text parameter; raises EvaluationError when the call lacks it."""
        value = self.params.get(name)
        if not isinstance(value, str) or not value:
            raise EvaluationError(f"{self.service}:{self.operation} without {name}: no resource to evaluate")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One permission that a call needs, with the condition keys that belong to it."""

    action: str
    resource: str
    context: ContextValues = field(default_factory=dict)


Row = Callable[[ApiCall], Iterable[Need]]


def on(resource: Callable[[ApiCall], str], *, action: str | None = None) -> Row:
    """Make the row of an operation that needs one action on one resource; the action is named as the operation."""
    return lambda call: [Need(action=f"{call.service}:{action or call.operation}", resource=resource(call))]


def anywhere(call: ApiCall) -> list[Need]:
    """Be the row of an operation whose action knows no resource."""
    return [Need(action=f"{call.service}:{call.operation}", resource="*")]


def request_tags(tags: Mapping[str, str]) -> ContextValues:
    """Give the condition keys of the tags that a call sets."""
    if not tags:
        return {}
    keys: dict[str, Value] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    return {**keys, "aws:TagKeys": tuple(tags)}


def as_mapping(tags: Any, *, key: str = "Key", value: str = "Value") -> dict[str, str]:
    """Read tags given as a list of objects or as a map."""
    if isinstance(tags, Mapping):
        return dict(tags)
    return {tag[key]: tag.get(value) or "" for tag in tags or ()}


def pass_role(role_arn: Any, service: str, *, associated: str | None = None) -> list[Need]:
    """Give the `iam:PassRole` that handing a role to a service needs; nothing when no role is given."""
    if not role_arn:
        return []
    context = {"iam:PassedToService": service, "iam:AssociatedResourceArn": associated}
    return [Need(action="iam:PassRole", resource=str(role_arn), context=context)]
