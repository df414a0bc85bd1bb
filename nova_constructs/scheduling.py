"""Call a function at regular intervals: an EventBridge schedule with a role for nothing else."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from nova_constructs.execution_role import service_of_this_account
from nova_constructs.handler_function import HandlerFunction, statement


def call_every(
    scope: Construct, function: HandlerFunction, *, minutes: int, description: str, sid: str = "CallOnSchedule"
) -> scheduler.CfnSchedule:
    """Create a schedule and its role in `scope`; a call that is refused is not repeated, the next one comes anyway."""
    stack = Stack.of(scope)
    # Scheduler gives its group as the source ("Confused deputy prevention").
    groups = stack.format_arn(service="scheduler", resource="schedule-group", resource_name="*")
    role = iam.Role(scope, "ScheduleRole", assumed_by=service_of_this_account(stack, "scheduler.amazonaws.com", groups))
    role.add_to_policy(statement(sid, ["lambda:InvokeFunction"], [function.function.function_arn]))
    return scheduler.CfnSchedule(
        scope,
        "Schedule",
        description=description,
        flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
        schedule_expression=f"rate({minutes} minute{'s' if minutes > 1 else ''})",
        target=scheduler.CfnSchedule.TargetProperty(
            arn=function.function.function_arn,
            role_arn=role.role_arn,
            retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(maximum_retry_attempts=0),
        ),
    )
