"""Call a function at regular intervals or set times: an EventBridge schedule with a role for nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from nova_constructs.execution_role import service_of_this_account
from nova_constructs.handler_function import HandlerFunction, statement


def call_every(
    scope: Construct, function: HandlerFunction, *, minutes: int, description: str, sid: str = "CallOnSchedule"
) -> scheduler.CfnSchedule:
    """Create a schedule and its role in `scope`; a call that is refused is not repeated, the next one comes anyway."""
    return scheduler.CfnSchedule(
        scope,
        "Schedule",
        description=description,
        flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
        schedule_expression=f"rate({minutes} minute{'s' if minutes > 1 else ''})",
        target=scheduler.CfnSchedule.TargetProperty(
            arn=function.function.function_arn,
            role_arn=_role(scope, function, sid).role_arn,
            retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(maximum_retry_attempts=0),
        ),
    )


def call_at(
    scope: Construct,
    function: HandlerFunction,
    *,
    expression: str,
    time_zone: str,
    description: str,
    message: Mapping[str, Any],
    undelivered: sqs.Queue,
) -> scheduler.CfnSchedule:
    """Create a schedule and its role in `scope`, which tells a function a message; what is refused is tried for a day.

    `expression` is one of EventBridge Scheduler, in the `time_zone` of that name.
    """
    role = _role(scope, function, "CallOnSchedule")
    role.add_to_policy(statement("KeepUndelivered", ["sqs:SendMessage"], [undelivered.queue_arn]))
    return scheduler.CfnSchedule(
        scope,
        "Schedule",
        description=description,
        flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
        schedule_expression=expression,
        schedule_expression_timezone=time_zone,
        target=scheduler.CfnSchedule.TargetProperty(
            arn=function.function.function_arn,
            role_arn=role.role_arn,
            input=Stack.of(scope).to_json_string(message),
            dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=undelivered.queue_arn),
        ),
    )


def _role(scope: Construct, function: HandlerFunction, sid: str) -> iam.Role:
    stack = Stack.of(scope)
    # Scheduler gives its group as the source ("Confused deputy prevention").
    groups = stack.format_arn(service="scheduler", resource="schedule-group", resource_name="*")
    role = iam.Role(scope, "ScheduleRole", assumed_by=service_of_this_account(stack, "scheduler.amazonaws.com", groups))
    role.add_to_policy(statement(sid, ["lambda:InvokeFunction"], [function.function.function_arn]))
    return role
