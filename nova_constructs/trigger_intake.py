"""The one way in: every trigger is a rule or a schedule that tells the function `receive_trigger`.

Creates the table of arrivals and the function, which keeps what it is told and starts executions; for each trigger a
rule of EventBridge or a schedule of EventBridge Scheduler. What cannot be delivered, and calls that fail, go to the
dead-letter queue of the customization.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsii
from aws_cdk import ArnFormat, Aspects, CfnOutput, Duration, IAspect, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct, IConstruct

from lambda_handlers.protocol.turns import Concurrency
from lambda_handlers.starting.arrivals import WAITING_INDEX
from lambda_handlers.starting.trigger import SCHEDULED_TIME
from nova_constructs.artifact_store import LISTS
from nova_constructs.dataset_arrives import DatasetArrives
from nova_constructs.handler_function import HandlerFunction
from nova_constructs.scheduling import call_at
from nova_constructs.stage import Workshop
from nova_constructs.tables import workflow_table
from nova_constructs.trigger import Trigger
from nova_constructs.triggers import AfterSuccess, OnAlarm, OnEvent, OnSchedule


@jsii.implements(IAspect)
class _ByDefault:
    """Adds the trigger of a customization that has none when everything else is there, as the app is synthesized."""

    def __init__(self, intake: TriggerIntake) -> None:
        self._intake = intake

    def visit(self, node: IConstruct) -> None:
        if node.node.path == self._intake.node.path and not self._intake.triggers:
            self._intake.add("DatasetArrives", DatasetArrives())


class TriggerIntake(Construct):
    """Receives triggers and starts runs. Attributes: `table`, `receive`, `triggers` (by name)."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        workshop: Workshop,
        state_machine: sfn.StateMachine,
        undelivered: sqs.Queue,
        name: str,
        concurrency: Concurrency = Concurrency.SKIP,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        """Create table and function; `name` is the customization's, under which the stack tells of its triggers.

        `concurrency` decides whether data that arrives while a run works waits here for its end.
        """
        super().__init__(scope, construct_id)
        self._workshop, self._undelivered, self._name = workshop, undelivered, name
        self.triggers: dict[str, Trigger] = {}
        self.table = self._arrivals(removal_policy)
        self.receive = HandlerFunction(
            self,
            "Receive",
            handler="receive_trigger",
            timeout=Duration.minutes(5),
            environment={
                "ARRIVALS_TABLE": self.table.table_name,
                "STATE_MACHINE_ARN": state_machine.state_machine_arn,
                "ARTIFACTS_BUCKET": workshop.store.artifacts.bucket_name,
                "CONCURRENCY": str(concurrency),
                **workshop.control.environment,
            },
        )
        self._allow(state_machine)
        self._keep_failed_calls()
        self._look_when_runs_end(state_machine)
        workshop.waiting.dispatch_through(self.receive, self.table)
        Aspects.of(self).add(_ByDefault(self))

    def add(self, name: str, trigger: Trigger) -> None:
        """Create the rule or the schedule of a trigger, and tell of it in the stack's outputs."""
        self.triggers[name] = trigger
        scope = Construct(self, name)
        if isinstance(trigger, OnSchedule):
            self._schedule(scope, name, trigger)
        else:
            self._rule(scope, name, trigger)
        told = {"name": name, "kind": trigger.kind, "mode": trigger.mode, "starts": f"A run starts {trigger.when()}."}
        output = CfnOutput(scope, "Told", value=Stack.of(self).to_json_string(told))
        output.override_logical_id(f"{self._name}Trigger{name}")

    def _arrivals(self, removal_policy: RemovalPolicy) -> dynamodb.Table:
        text = dynamodb.AttributeType.STRING
        table = workflow_table(
            self,
            "Arrivals",
            partition_key="trigger",
            sort_key=dynamodb.Attribute(name="arrival", type=text),
            key=self._workshop.store.key,
            time_to_live_attribute="expires_at",
            removal_policy=removal_policy,
        )
        table.add_global_secondary_index(
            index_name=WAITING_INDEX, partition_key=dynamodb.Attribute(name="waiting_marker", type=text)
        )
        return table

    def _allow(self, state_machine: sfn.StateMachine) -> None:
        workshop, receive = self._workshop, self.receive
        receive.use_table("KeepArrivals", self.table, "GetItem", "PutItem", "Query", indexes=[WAITING_INDEX])
        receive.use_table("SeeOpenRuns", workshop.control.table, "GetItem")
        receive.write_objects("ListObjects", workshop.store.artifacts, LISTS)
        receive.allow("StartRuns", ["states:StartExecution"], [state_machine.state_machine_arn])
        receive.allow("SeeWhetherRunsEnded", ["states:DescribeExecution"], [self._executions_of(state_machine)])

    def _look_when_runs_end(self, state_machine: sfn.StateMachine) -> None:
        """Have what waits for the end of a run started then, and not only at the reconciler's next pass."""
        events.Rule(
            self,
            "RunEnded",
            description="Nova Constructs: a run has ended, and what waits for that can start",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "stateMachineArn": [state_machine.state_machine_arn],
                    "status": ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"],
                },
            ),
            targets=[
                targets.LambdaFunction(
                    self.receive.function,
                    dead_letter_queue=self._undelivered,
                    event=events.RuleTargetInput.from_object({"dispatch": True}),
                )
            ],
        )

    def _keep_failed_calls(self) -> None:
        """Send a call that failed and was tried twice more to the dead-letter queue, with its error."""
        undelivered = self._undelivered.queue_arn
        lambda_.CfnEventInvokeConfig(
            self,
            "FailedCalls",
            function_name=self.receive.function.function_name,
            qualifier="$LATEST",
            maximum_retry_attempts=2,
            maximum_event_age_in_seconds=6 * 3600,
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=undelivered)
            ),
        )
        self.receive.allow("KeepFailedCalls", ["sqs:SendMessage"], [undelivered])

    def _executions_of(self, state_machine: sfn.StateMachine) -> str:
        return Stack.of(self).format_arn(
            service="states",
            resource="execution",
            resource_name=f"{state_machine.state_machine_name}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def _settings(self, name: str, trigger: Trigger) -> dict[str, Any]:
        bucket = self._workshop.store.incoming.bucket_name
        return {"name": name, "kind": trigger.kind, **trigger.settings(bucket)}

    def _schedule(self, scope: Construct, name: str, trigger: OnSchedule) -> None:
        event = {"id": SCHEDULED_TIME, "time": SCHEDULED_TIME}
        call_at(
            scope,
            self.receive,
            expression=trigger.schedule,
            time_zone=trigger.time_zone,
            description=f"Nova Constructs: a run starts {trigger.when()}"[:512],
            message={"trigger": self._settings(name, trigger), "event": event},
            undelivered=self._undelivered,
        )

    def _rule(self, scope: Construct, name: str, trigger: Trigger) -> None:
        field = events.EventField.from_path
        event = {"id": field("$.id"), "time": field("$.time"), "detail": field("$.detail")}
        message = {"trigger": self._settings(name, trigger), "event": event}
        rule = events.Rule(
            scope,
            "Rule",
            description=f"Nova Constructs: trigger {name}"[:512],
            event_pattern=events.EventPattern(**self._pattern(trigger)),
            targets=[
                targets.LambdaFunction(
                    self.receive.function,
                    dead_letter_queue=self._undelivered,
                    event=events.RuleTargetInput.from_object(message),
                )
            ],
        )
        if isinstance(trigger, OnEvent):
            # As it was given: where EventBridge takes matchers too, the construct takes nothing but texts.
            resource = rule.node.default_child
            assert isinstance(resource, events.CfnRule)
            resource.event_pattern = dict(trigger.pattern)

    def _pattern(self, trigger: Trigger) -> Mapping[str, Any]:
        """Return an event pattern as its construct takes it."""
        if isinstance(trigger, DatasetArrives):
            return self._objects(trigger)
        if isinstance(trigger, OnAlarm):
            return {
                "source": ["aws.cloudwatch"],
                "detail_type": ["CloudWatch Alarm State Change"],
                "resources": [trigger.alarm_arn],
                "detail": {"state": {"value": ["ALARM"]}},
            }
        if isinstance(trigger, AfterSuccess):
            other = trigger.of.state_machine
            self.receive.allow("ReadOutputOfOthers", ["states:DescribeExecution"], [self._executions_of(other)])
            return {
                "source": ["aws.states"],
                "detail_type": ["Step Functions Execution Status Change"],
                "detail": {"stateMachineArn": [other.state_machine_arn], "status": ["SUCCEEDED"]},
            }
        assert isinstance(trigger, OnEvent)
        return {"source": ["the pattern that was given takes the place of this one"]}

    def _objects(self, trigger: DatasetArrives) -> dict[str, Any]:
        # A folder made in the console is an object of no bytes; a marker may have none.
        size = {} if trigger.marker else {"size": [{"numeric": [">", 0]}]}
        bucket = {"name": [self._workshop.store.incoming.bucket_name]}
        detail = {"bucket": bucket, "object": {"key": trigger.keys(), **size}}
        return {"source": ["aws.s3"], "detail_type": ["Object Created"], "detail": detail}
