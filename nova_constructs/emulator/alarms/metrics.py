"""What was measured, added up by the minute: PutMetricData, and what services tell of themselves."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from moto.cloudwatch.models import CloudWatchBackend
from moto.sqs.models import sqs_backends

from nova_constructs.emulator.patches import Patches

MINUTE: Final = 60
_KEPT: Final = 8 * 24 * 60
"""Minutes of a metric: alarms look back at most 7 days (CloudWatch user guide)."""
STATISTICS: Final = ("Average", "Maximum", "Minimum", "SampleCount", "Sum")
OF_SERVICES: Final = {
    "AWS/Lambda": ("Duration", "Errors", "Invocations", "Throttles"),
    "AWS/SQS": ("ApproximateNumberOfMessagesVisible",),
}
"""Metrics of services that are measured here."""


@dataclass(frozen=True, slots=True)
class Key:
    """A metric: those of other dimensions, though of one name, are others."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]


@dataclass(slots=True)
class Sample:
    """Values of a minute, added up."""

    count: float
    total: float
    least: float
    most: float

    def add(self, other: Sample) -> None:
        """Take in other values."""
        self.count += other.count
        self.total += other.total
        self.least, self.most = min(self.least, other.least), max(self.most, other.most)

    def statistic(self, name: str) -> float:
        """Return one of STATISTICS."""
        found = {"SampleCount": self.count, "Sum": self.total, "Minimum": self.least, "Maximum": self.most}
        return found[name] if name in found else self.total / self.count


class Metrics:
    """Every metric of the account, thread-safe."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self._lock = threading.Lock()
        self._minutes: defaultdict[Key, dict[int, Sample]] = defaultdict(dict)

    def put(self, namespace: str, name: str, dimensions: Mapping[str, str], value: float) -> None:
        """Measure a value now."""
        self.add(Key(namespace, name, frozenset(dimensions.items())), self.now(), Sample(1, value, value, value))

    def add(self, key: Key, at: datetime, sample: Sample) -> None:
        """Take in values of a moment."""
        minute = int(at.timestamp()) // MINUTE
        with self._lock:
            minutes = self._minutes[key]
            if minute in minutes:
                minutes[minute].add(sample)
                return
            minutes[minute] = sample
            if len(minutes) > _KEPT:
                del minutes[min(minutes)]

    def value(self, key: Key, statistic: str, begin: int, seconds: int) -> float | None:
        """Return a statistic of the period that begins at a number of seconds since the epoch; None without values."""
        with self._lock:
            minutes = self._minutes.get(key, {})
            found = [minutes[each] for each in range(begin // MINUTE, (begin + seconds) // MINUTE) if each in minutes]
            if not found:
                return None
            together = Sample(found[0].count, found[0].total, found[0].least, found[0].most)
            for each in found[1:]:
                together.add(each)
        return together.statistic(statistic)

    def look_at_queue(self, key: Key, account: str, region: str, at: datetime) -> None:
        """Measure how many messages can be received from a queue."""
        queues = sqs_backends[account][region].queues
        queue = queues.get(dict(key.dimensions).get("QueueName", ""))
        if queue is not None:
            visible = float(queue.approximate_number_of_messages)
            self.add(key, at, Sample(1, visible, visible, visible))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._minutes.clear()


def patch_metrics(metrics: Metrics, patches: Patches) -> None:
    """Take in what PutMetricData brings; moto keeps it too, for those who ask for statistics."""
    put = CloudWatchBackend.put_metric_data

    def put_metric_data(self: CloudWatchBackend, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        put(self, namespace, metric_data)
        for datum in metric_data:
            told = frozenset((each["Name"], each["Value"]) for each in datum.get("Dimensions") or ())
            at = _instant(datum.get("Timestamp")) or metrics.now()
            for sample in _samples(datum):
                metrics.add(Key(namespace, datum["MetricName"], told), at, sample)

    patches.replace(CloudWatchBackend, "put_metric_data", put_metric_data)


def _samples(datum: Mapping[str, Any]) -> Iterable[Sample]:
    if datum.get("StatisticValues"):
        told = {name: float(value) for name, value in datum["StatisticValues"].items()}
        yield Sample(told["SampleCount"], told["Sum"], told["Minimum"], told["Maximum"])
        return
    values = [float(value) for value in datum.get("Values") or [datum.get("Value", 0)]]
    counts = [float(count) for count in datum.get("Counts") or [1] * len(values)]
    for value, count in zip(values, counts, strict=True):
        yield Sample(count, value * count, value, value)


def _instant(told: Any) -> datetime | None:
    if told is None:
        return None
    moment = told if isinstance(told, datetime) else datetime.fromisoformat(str(told))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
