"""What keeps the runs of a customization from treading on each other.

Creates one DynamoDB table whose items are the run lock, the claims on inputs and the production pointer, and names the
SSM parameter to which the pointer is projected. CloudFormation never owns the parameter's value: the workflow does.
"""

from __future__ import annotations

from aws_cdk import RemovalPolicy, Stack
from constructs import Construct

from nova_constructs.artifact_store import ArtifactStore
from nova_constructs.identity import Identity
from nova_constructs.tables import workflow_table


class RunControl(Construct):
    """Lock, claims and pointer. Attributes: `table`, `pointer_parameter_name`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        identity: Identity,
        store: ArtifactStore,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        super().__init__(scope, construct_id)
        self.table = workflow_table(self, "Table", partition_key="item", key=store.key, removal_policy=removal_policy)
        self.pointer_parameter_name = f"/nova-constructs/{identity.customization}/production"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a function that takes or checks the lock."""
        return {"RUN_CONTROL_TABLE": self.table.table_name}

    @property
    def pointer_environment(self) -> dict[str, str]:
        """The environment of a function that moves or repairs the pointer."""
        return {**self.environment, "POINTER_PARAMETER": self.pointer_parameter_name}

    @property
    def pointer_parameter_arn(self) -> str:
        """The ARN of the SSM parameter that callers read."""
        return Stack.of(self).format_arn(
            service="ssm", resource="parameter", resource_name=self.pointer_parameter_name.removeprefix("/")
        )
