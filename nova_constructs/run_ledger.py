"""The record of runs: an append-only table and the one function that may write it.

Creates a DynamoDB table (key `run_id`, `seq`) and the function `append_ledger`, which chains each event to the one
before by SHA-256 and mirrors it to the audit bucket. Other functions get `grant_append`, never the table.
"""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from nova_constructs.artifact_store import ArtifactStore
from nova_constructs.handler_function import HandlerFunction
from nova_constructs.tables import workflow_table


class RunLedger(Construct):
    """The ledger table and its writer. Attributes: `table`, `append`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        store: ArtifactStore,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        super().__init__(scope, construct_id)
        self.table = workflow_table(
            self,
            "Table",
            partition_key="run_id",
            sort_key=dynamodb.Attribute(name="seq", type=dynamodb.AttributeType.NUMBER),
            key=store.key,
            # What is told of a run is told from here (notifications.py).
            stream=dynamodb.StreamViewType.NEW_IMAGE,
            removal_policy=removal_policy,
        )
        self.append = HandlerFunction(
            self,
            "Append",
            handler="append_ledger",
            environment={"RUN_LEDGER_TABLE": self.table.table_name, "AUDIT_BUCKET": store.audit.bucket_name},
        )
        self.append.use_table("AppendEvents", self.table, "Query", "PutItem")
        self.append.write_objects("MirrorEvents", store.audit, "runs/*/ledger/*")

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of a function that appends events."""
        return {"APPEND_LEDGER_FUNCTION": self.append.function.function_name}

    def grant_append(self, function: HandlerFunction) -> None:
        """Let a function append events."""
        function.allow("AppendLedger", ["lambda:InvokeFunction"], [self.append.function.function_arn])
