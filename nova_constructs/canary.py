"""The canary: within the bake time it asks production a question, under metrics whose names stay.

Creates the function `canary`, the schedule that calls it, and the alarms on what it finds. The id of what serves
changes with each swap and an alarm takes no search, so the metrics are of the customization: `Failures` and `LatencyMs`
in the namespace `NovaConstructs`, dimension `Customization`.
"""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from lambda_handlers.deployment.canary import DIMENSION, FAILURES, LATENCY, NAMESPACE
from nova_constructs.bake import Bake
from nova_constructs.handler_function import HandlerFunction
from nova_constructs.scheduling import call_every
from nova_constructs.stage import Workshop


class Canary(Construct):
    """Asks production. Attributes: `function`, `alarms`."""

    def __init__(self, scope: Construct, construct_id: str, *, workshop: Workshop, bake: Bake) -> None:
        super().__init__(scope, construct_id)
        self._bake, self._customization = bake, workshop.identity.customization
        self.function = self._create_function(workshop)
        call_every(
            self,
            self.function,
            minutes=bake.every_minutes,
            description="Nova Constructs: ask production a question while it is watched",
        )
        self.alarms = [self._on_failures()]
        if bake.latency_seconds is not None:
            self.alarms.append(self._on_latency(bake.latency_seconds))

    @property
    def alarm_arns(self) -> list[str]:
        """The ARNs of the alarms."""
        return [alarm.alarm_arn for alarm in self.alarms]

    def _create_function(self, workshop: Workshop) -> HandlerFunction:
        function = HandlerFunction(
            self,
            "Ask",
            handler="canary",
            environment={
                **workshop.control.environment,
                "CUSTOMIZATION": self._customization,
                "PROMPT": self._bake.prompt,
                "BAKE_MINUTES": str(self._bake.minutes),
            },
        )
        function.use_table("ReadPointer", workshop.control.table, "GetItem")
        permissions = workshop.waiting.permissions
        tagged = workshop.identity.resource_tag
        function.allow("AskProduction", ["bedrock:InvokeModel"], [permissions.serving], tagged)
        permissions.model_key.allow_asking(function)
        # The action has no resource form (Service Authorization Reference, Amazon CloudWatch).
        only: dict[str, object] = {"StringEquals": {"cloudwatch:namespace": NAMESPACE}}
        function.allow("PutMetrics", ["cloudwatch:PutMetricData"], ["*"], only)
        return function

    def _on_failures(self) -> cloudwatch.Alarm:
        return self._alarm("Failures", FAILURES, "Maximum", 1, "Production did not answer its canary")

    def _on_latency(self, seconds: float) -> cloudwatch.Alarm:
        return self._alarm("Latency", LATENCY, "Average", seconds * 1000, f"Production took {seconds:g} s or more")

    def _alarm(self, construct_id: str, name: str, statistic: str, threshold: float, what: str) -> cloudwatch.Alarm:
        bake = self._bake
        metric: Any = cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=name,
            dimensions_map={DIMENSION: self._customization},
            statistic=statistic,
            period=Duration.minutes(bake.every_minutes),
        )
        return cloudwatch.Alarm(
            self,
            construct_id,
            metric=metric,
            threshold=threshold,
            evaluation_periods=bake.failures,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            # Outside the bake time nothing is asked.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=f"Nova Constructs: {what}, {bake.failures} times in a row ({self._customization})",
        )
