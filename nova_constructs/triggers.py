"""What starts a run by itself.

Creates the EventBridge rule that starts an execution for each object written under `datasets/` of the incoming bucket,
with the object's version pinned in the execution input.
"""

from __future__ import annotations

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from nova_constructs.artifact_store import DATASETS_PREFIX
from nova_constructs.handler_function import statement


class DatasetTrigger(Construct):
    """Starts a run for each new dataset. Attribute: `rule`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        bucket: s3.IBucket,
        state_machine: sfn.StateMachine,
        undelivered: sqs.Queue,
    ) -> None:
        super().__init__(scope, construct_id)
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("events.amazonaws.com"))
        role.add_to_policy(statement("StartRuns", ["states:StartExecution"], [state_machine.state_machine_arn]))
        bucket_name = events.EventField.from_path("$.detail.bucket.name")
        key = events.EventField.from_path("$.detail.object.key")
        version = events.EventField.from_path("$.detail.object.version-id")
        self.rule = events.Rule(
            self,
            "DatasetArrived",
            description="Nova Constructs: a dataset was written to the incoming bucket",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={
                    "bucket": {"name": [bucket.bucket_name]},  # A folder made in the console is an object of no bytes.
                    "object": {"key": [{"prefix": DATASETS_PREFIX}], "size": [{"numeric": [">", 0]}]},
                },
            ),
        )
        self.rule.add_target(
            targets.SfnStateMachine(
                state_machine,
                # Without updates: the target would add a second, nameless statement for what the role may do already.
                role=role.without_policy_updates(),
                dead_letter_queue=undelivered,
                input=events.RuleTargetInput.from_object(
                    {"dataset": {"uri": f"s3://{bucket_name}/{key}", "version_id": version}}
                ),
            )
        )
