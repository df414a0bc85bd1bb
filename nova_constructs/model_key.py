"""The KMS key of a customization's models, where they have one of their own: what whom it has to be allowed to.

Its key policy is its owner's, who lets this account's IAM policies allow its use, as KMS does by default. Source:
Amazon Nova user guide, Permissions and key policies for custom Amazon Nova models; CreateCustomModel (the role of an
import needs the key too).
"""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from nova_constructs.handler_function import HandlerFunction, statement

_ASK = ("kms:Decrypt", "kms:GenerateDataKey")


@dataclass(frozen=True, slots=True)
class ModelKey:
    """The key by its ARN; None: Amazon Bedrock's own, for which nobody has to be allowed anything."""

    stack: Stack
    arn: str | None

    @property
    def through_bedrock(self) -> dict[str, dict[str, str]]:
        """The condition that Amazon Bedrock uses the key, for whoever calls it."""
        return {"StringEquals": {"kms:ViaService": f"bedrock.{self.stack.region}.amazonaws.com"}}

    def allow_encrypting(self, function: HandlerFunction) -> None:
        """Let a function have Bedrock make models that the key encrypts; Bedrock makes itself a grant for that."""
        if self.arn:
            granting: dict[str, object] = {**self.through_bedrock, "Bool": {"kms:GrantIsForAWSResource": "true"}}
            function.allow("GrantModelKey", ["kms:CreateGrant"], [self.arn], granting)
            function.allow("SeeModelKey", ["kms:DescribeKey"], [self.arn], self.through_bedrock)

    def allow_asking(self, function: HandlerFunction) -> None:
        """Let a function ask models that the key encrypts."""
        if self.arn:
            function.allow("UseModelKey", list(_ASK), [self.arn], self.through_bedrock)

    def allow_import_role(self, role: iam.Role) -> None:
        """Let Bedrock use the key under the role of an import."""
        if self.arn:
            actions = [*_ASK, "kms:DescribeKey", "kms:CreateGrant"]
            role.add_to_policy(statement("UseModelKey", actions, [self.arn], self.through_bedrock))

    def grant_asking(self, grantee: iam.IGrantable) -> iam.Grant | None:
        """Let somebody ask models that the key encrypts."""
        if not self.arn:
            return None
        return iam.Grant.add_to_principal(
            grantee=grantee, actions=list(_ASK), resource_arns=[self.arn], conditions=self.through_bedrock
        )
