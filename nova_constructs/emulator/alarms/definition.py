"""What an alarm watches, read from moto's alarm, and what of an alarm cannot be honoured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nova_constructs.emulator.alarms.expressions import Expression, ExpressionError
from nova_constructs.emulator.alarms.judging import COMPARISONS, EXTRA, Rule
from nova_constructs.emulator.alarms.metrics import MINUTE, OF_SERVICES, STATISTICS, Key, Metrics

_TRUE = (None, True, "true")
"""ReturnData that is not given is true."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """A statistic of a metric."""

    key: Key
    statistic: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """What an alarm looks at: each measure by its id, the expression over them, the period in seconds, the rule."""

    measures: Mapping[str, Measure]
    expression: Expression
    period: int
    rule: Rule

    @classmethod
    def of(cls, alarm: Any) -> Definition:
        """Read moto's alarm, which `problems` found nothing wrong with."""
        periods = int(alarm.evaluation_periods)
        rule = Rule(
            comparison=alarm.comparison_operator,
            threshold=float(alarm.threshold),
            periods=periods,
            needed=int(alarm.datapoints_to_alarm or periods),
            missing=alarm.treat_missing_data or "missing",
        )
        if not alarm.metric_data_queries:
            key = _key(alarm.namespace, alarm.metric_name, alarm.dimensions)
            measures = {"m": Measure(key=key, statistic=alarm.statistic)}
            return cls(measures=measures, expression=Expression("m"), period=int(alarm.period), rule=rule)
        stats = {each.id: each.metric_stat for each in alarm.metric_data_queries if each.metric_stat}
        returned = _returned(alarm.metric_data_queries)
        return cls(
            measures={
                name: Measure(
                    key=_key(each.metric.namespace, each.metric.metric_name, each.metric.dimensions),
                    statistic=each.stat,
                )
                for name, each in stats.items()
            },
            expression=Expression(returned.expression or returned.id),
            period=max(int(each.period) for each in stats.values()),
            rule=rule,
        )

    def values(self, metrics: Metrics, end: int) -> list[float | None]:
        """Return what the alarm is about in its last periods before `end`, the oldest first."""
        begins = range(end - (self.rule.periods + EXTRA) * self.period, end, self.period)
        rows = [
            {name: metrics.value(each.key, each.statistic, begin, self.period) for name, each in self.measures.items()}
            for begin in begins
        ]
        if all(value is None for row in rows for value in row.values()):
            return [None] * len(rows)  # FILL has nothing to fill up where there is no data at all
        return [self.expression.value(row) for row in rows]


def problems(properties: Mapping[str, Any]) -> Iterator[str]:
    """Yield what of an alarm's properties, as PutMetricAlarm has them, is not emulated."""
    for name in ("ExtendedStatistic", "ThresholdMetricId", "EvaluateLowSampleCountPercentile", "Unit"):
        if properties.get(name):
            yield f"{name} of an alarm"
    if properties.get("ComparisonOperator") not in COMPARISONS:
        yield f"ComparisonOperator {properties.get('ComparisonOperator')}"
    queries = properties.get("Metrics") or []
    if not queries:
        yield from _of_measure(properties, properties.get("Statistic"), properties.get("Period"))
        return
    for each in queries:
        if "MetricStat" in each:
            stat = each["MetricStat"]
            yield from _of_measure(stat["Metric"], stat["Stat"], stat["Period"])
    yield from _of_expressions(queries)


def as_properties(alarm: Any) -> Mapping[str, Any]:
    """Return moto's alarm as `problems` takes it."""
    return {
        "ExtendedStatistic": alarm.extended_statistic,
        "ThresholdMetricId": alarm.threshold_metric_id,
        "EvaluateLowSampleCountPercentile": alarm.evaluate_low_sample_count_percentile,
        "Unit": alarm.unit,
        "ComparisonOperator": alarm.comparison_operator,
        "Namespace": alarm.namespace,
        "MetricName": alarm.metric_name,
        "Statistic": alarm.statistic,
        "Period": alarm.period,
        "Metrics": [_query_as_properties(each) for each in alarm.metric_data_queries],
    }


def _query_as_properties(query: Any) -> Mapping[str, Any]:
    told = {"Id": query.id, "ReturnData": query.return_data in _TRUE}
    if query.metric_stat is None:
        return {**told, "Expression": query.expression}
    metric = {"Namespace": query.metric_stat.metric.namespace, "MetricName": query.metric_stat.metric.metric_name}
    return {
        **told,
        "MetricStat": {"Metric": metric, "Stat": query.metric_stat.stat, "Period": query.metric_stat.period},
    }


def _of_measure(metric: Mapping[str, Any], statistic: Any, period: Any) -> Iterator[str]:
    namespace, name = str(metric.get("Namespace")), str(metric.get("MetricName"))
    if namespace.startswith("AWS/") and name not in OF_SERVICES.get(namespace, ()):
        yield f"the metric {namespace} {name}"
    if statistic not in STATISTICS:
        yield f"the statistic {statistic}"
    if not str(period).isdigit() or int(period) % MINUTE or not int(period):
        yield f"the period of {period} s, which is not of whole minutes,"


def _of_expressions(queries: list[Mapping[str, Any]]) -> Iterator[str]:
    measured = {each["Id"] for each in queries if "MetricStat" in each}
    for each in queries:
        if "Expression" in each:
            try:
                names = Expression(each["Expression"]).names
            except ExpressionError as error:
                yield str(error)
            else:
                yield from (f"{name}, which is no metric, in {each['Expression']}" for name in sorted(names - measured))
    if len([each for each in queries if each.get("ReturnData") in _TRUE]) != 1:
        yield "an alarm of which not exactly one metric returns data"


def _returned(queries: list[Any]) -> Any:
    return next(each for each in queries if each.return_data in _TRUE)


def _key(namespace: str, name: str, dimensions: Any) -> Key:
    return Key(namespace, name, frozenset((each.name, each.value) for each in dimensions))
