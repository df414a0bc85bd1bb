"""Who watches the reconciler: two alarms on what AWS Lambda tells of its calls, without anything of its own."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from nova_constructs.handler_function import HandlerFunction

INTERVALS = 3


class ReconcilerWatch(Construct):
    """Attributes: `stalled`, the alarm of no successful pass within three intervals; `failing`, of passes that fail."""

    def __init__(self, scope: Construct, construct_id: str, *, reconcile: HandlerFunction, interval: Duration) -> None:
        super().__init__(scope, construct_id)
        errors = reconcile.function.metric_errors(period=interval, statistic=cloudwatch.Stats.SUM)
        passes = cloudwatch.MathExpression(
            # A pass that left something undone raises, and is an error.
            expression="FILL(calls, 0) - FILL(errors, 0)",
            using_metrics={
                "calls": reconcile.function.metric_invocations(period=interval, statistic=cloudwatch.Stats.SUM),
                "errors": errors,
            },
            label="Passes of the reconciler that left nothing undone",
            period=interval,
        )
        self.stalled = cloudwatch.Alarm(
            self,
            "Stalled",
            alarm_description=f"Nova Constructs: the reconciler made no successful pass within {INTERVALS} intervals. "
            "Until it does, lost events are not made good. Look at the log of the function.",
            metric=passes,
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            evaluation_periods=INTERVALS,
            # A schedule that calls it no more leaves no data at all.
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )
        self.failing = cloudwatch.Alarm(
            self,
            "Failing",
            alarm_description="Nova Constructs: passes of the reconciler fail; its log says what could not be done.",
            metric=errors,
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=INTERVALS,
            datapoints_to_alarm=2,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
