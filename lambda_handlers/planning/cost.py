"""The most that jobs can cost: instances x count x hours x price, for a ceiling at synth and for the plan of a run.

Every job is counted as long as its limits allow (`max_runtime_seconds` and `keep_alive_seconds`), and by the dearest of
the instance choices that it may take for lack of capacity. A job that got no instances costs nothing. Storage, requests
and the deployed model are not in it. A HyperPod cluster is billed whether jobs run on it or not: its bound is the
share that the jobs take, `max_pending_seconds` included, since their limits do not tell waiting from running.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lambda_handlers.catalog.prices import HOURLY_USD
from lambda_handlers.jobs.choices import EXTRA_INSTANCES, choices_of, instances_of, on_hyperpod
from lambda_handlers.jobs.driver import Instances


@dataclass(frozen=True, kw_only=True, slots=True)
class JobCost:
    """One job at its longest and dearest; without a price for its instance type `usd_per_hour` and `usd` are None."""

    stage: str
    instance_type: str
    instance_count: int
    hours: float
    usd_per_hour: float | None
    usd: float | None

    def figures(self) -> str:
        """Return the sum in words, such as `training 4 x ml.p5.48xlarge x 24 h x 63.296 USD = 6,076.42 USD`."""
        size = f"{self.stage} {self.instance_count} x {self.instance_type} x {self.hours:g} h"
        if self.usd is None or self.usd_per_hour is None:
            return f"{size}: no price"
        return f"{size} x {self.usd_per_hour:.12g} USD = {self.usd:,.2f} USD"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """The bound of several jobs, and the instance types among their choices that have no price."""

    jobs: tuple[JobCost, ...]
    unpriced: tuple[str, ...]

    @property
    def usd(self) -> float | None:
        """The sum, to the cent; None where a type without a price makes it unknown."""
        return None if self.unpriced else round(sum(job.usd or 0 for job in self.jobs), 2)

    def problems(self, ceiling_usd: float) -> Iterator[str]:
        """Yield why the jobs may cost more than a ceiling, or which prices are needed to tell."""
        for name in self.unpriced:
            yield f"cost_ceiling knows no price for {name}: give it in prices, in US dollars per hour"
        if self.usd is not None and self.usd > round(ceiling_usd, 2):
            shown = ", ".join(job.figures() for job in self.jobs)
            yield (
                f"a run may cost {self.usd:,.2f} USD, and cost_ceiling is {ceiling_usd:,.2f} USD ({shown}): "
                "lower max_runtime or the instances, or raise the ceiling"
            )

    def as_dict(self, ceiling_usd: float | None) -> dict[str, Any]:
        """Return the cost as the plan has it."""
        return {
            "bound_usd": self.usd,
            "ceiling_usd": ceiling_usd,
            "jobs": [asdict(job) for job in self.jobs],
            "unpriced": list(self.unpriced),
        }


def bound(jobs: Mapping[str, Mapping[str, Any]], prices: Mapping[str, float] | None = None) -> Cost:
    """Return the most that jobs can cost: the settings of their platforms, by stage.

    `prices` are US dollars per hour by instance type; they go before those of the catalog.
    """
    known = {**HOURLY_USD, **(prices or {})}
    types = [instances_of(choice).type for settings in jobs.values() for choice in choices_of(settings)]
    unpriced = dict.fromkeys(name for name in types if name not in known)
    found = tuple(_dearest(stage, settings, known) for stage, settings in jobs.items())
    return Cost(jobs=found, unpriced=tuple(unpriced))


def _dearest(stage: str, settings: Mapping[str, Any], prices: Mapping[str, float]) -> JobCost:
    """Return the job by its dearest choice; one without a price counts as dearer than all, since nobody knows."""
    extra = settings.get(EXTRA_INSTANCES) or 0
    found = ((choice, instances_of(choice)) for choice in choices_of(settings))
    choices = [
        _cost(stage, Instances(type=wanted.type, count=wanted.count + extra), _seconds(choice) / 3600, prices)
        for choice, wanted in found
    ]
    return max(choices, key=lambda job: float("inf") if job.usd is None else job.usd)


def _seconds(settings: Mapping[str, Any]) -> int:
    """Return how long a job may hold its instances; on HyperPod time that it did not wait is time to run."""
    waits = settings.get("max_pending_seconds") or 0 if on_hyperpod(settings) else 0
    return int(settings["max_runtime_seconds"] + (settings.get("keep_alive_seconds") or 0) + waits)


def _cost(stage: str, instances: Instances, hours: float, prices: Mapping[str, float]) -> JobCost:
    price = prices.get(instances.type)
    return JobCost(
        stage=stage,
        instance_type=instances.type,
        instance_count=instances.count,
        hours=hours,
        usd_per_hour=price,
        usd=None if price is None else instances.count * hours * price,
    )
