"""Rollback: the function that `nova rollback` calls, and the rule that calls it for an alarm within the bake time.

Creates the function `roll_back`; with a bake, the canary and its alarms (`canary.py`) and an EventBridge rule on the
alarms' state changes. Nothing waits: after the bake time the function lets an alarm be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lambda_handlers.deployment.rollback import ALARM_EVENT
from nova_constructs.canary import Canary
from nova_constructs.deployment_targets import OnDemand, ProvisionedThroughput
from nova_constructs.handler_function import HandlerFunction
from nova_constructs.stage import Workshop


class Rollback(Construct):
    """Rolls the pointer back. Attributes: `function`, `keep`, `bake_minutes`; `canary`, None without one."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        workshop: Workshop,
        target: OnDemand | ProvisionedThroughput,
        undelivered: sqs.Queue,
    ) -> None:
        """Create the function; what is gone back to has to answer the target's smoke questions first."""
        super().__init__(scope, construct_id)
        bake = target.bake
        self.keep, self.bake_minutes = target.keep, bake.minutes if bake else 0
        self.function = self._create_function(workshop, target.config(workshop.identity.slug)["smoke"])
        self.canary = Canary(self, "Canary", workshop=workshop, bake=bake) if bake and bake.canary else None
        if bake:
            self._watch([*bake.alarms, *(self.canary.alarm_arns if self.canary else ())], undelivered)

    def _create_function(self, workshop: Workshop, smoke: Sequence[Mapping[str, Any]]) -> HandlerFunction:
        function = HandlerFunction(
            self,
            "RollBack",
            handler="roll_back",
            timeout=Duration.minutes(5),
            environment={
                **workshop.control.pointer_environment,
                **workshop.ledger.environment,
                "SMOKE_PROMPTS": json.dumps(list(smoke)),
                "BAKE_MINUTES": str(self.bake_minutes),
            },
        )
        function.use_table("MovePointer", workshop.control.table, "GetItem", "PutItem")
        function.allow("ProjectPointer", ["ssm:PutParameter"], [workshop.control.pointer_parameter_arn])
        workshop.waiting.permissions.roll_back(function)
        workshop.ledger.grant_append(function)
        return function

    def _watch(self, alarms: Sequence[str], undelivered: sqs.Queue) -> None:
        events.Rule(
            self,
            "AlarmWentOff",
            description="Nova Constructs: an alarm that is watched within the bake time went off",
            event_pattern=events.EventPattern(
                source=["aws.cloudwatch"],
                detail_type=[ALARM_EVENT],
                resources=list(alarms),
                detail={"state": {"value": ["ALARM"]}},
            ),
            targets=[targets.LambdaFunction(self.function.function, dead_letter_queue=undelivered)],
        )
