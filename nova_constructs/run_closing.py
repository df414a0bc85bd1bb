"""How every run ends: its jobs stopped, its lock released, its record written.

Creates the function `close_run` and the rule that calls it for an execution that failed, was aborted or timed out,
since such an execution runs no Catch of its own.
"""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from nova_constructs.handler_function import HandlerFunction
from nova_constructs.lambda_task import EXECUTION, lambda_task
from nova_constructs.stage import Workshop


class RunClosing(Construct):
    """Closes runs. Attribute: `close`."""

    def __init__(self, scope: Construct, construct_id: str, *, workshop: Workshop) -> None:
        super().__init__(scope, construct_id)
        waiting = workshop.waiting
        self.close = HandlerFunction(
            self,
            "Close",
            handler="close_run",
            timeout=Duration.minutes(5),
            environment=waiting.closing_environment(workshop.store),
        )
        waiting.allow_closing(self.close, store=workshop.store)

    def succeed(self, construct_id: str, status: str) -> sfn.IChainable:
        """Return the states that close a run with a status that is not a failure."""
        close = self._task(construct_id, {"status": status, "result.$": "$"}, "$")
        return close.next(sfn.Succeed(self, f"{construct_id}Done", state_name=f"Run{status.title().replace('_', '')}"))

    def fail(self) -> sfn.IChainable:
        """Return the states that close a run with the error at `$.error`."""
        close = self._task("CloseFailedRun", {"status": "FAILED", "error.$": "$.error", "result.$": "$"}, "$.failure")
        return close.next(sfn.Fail(self, "RunFailed", error_path="$.failure.error", cause_path="$.failure.cause"))

    def watch(self, state_machine: sfn.StateMachine, undelivered: sqs.Queue) -> None:
        """Close executions that end without closing themselves."""
        events.Rule(
            self,
            "ExecutionEnded",
            description="Nova Constructs: a run failed, was aborted or timed out",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "stateMachineArn": [state_machine.state_machine_arn],
                    "status": ["FAILED", "ABORTED", "TIMED_OUT"],
                },
            ),
            targets=[targets.LambdaFunction(self.close.function, dead_letter_queue=undelivered)],
        )

    def _task(self, construct_id: str, payload: dict[str, object], result_path: str) -> sfn.CustomState:
        return lambda_task(
            self,
            construct_id,
            function=self.close,
            payload={"execution": EXECUTION, **payload},
            result_path=result_path,
        )
