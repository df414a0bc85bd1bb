"""The most that the jobs of one run may cost, compared with the most that they can."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lambda_handlers.catalog.prices import HOURLY_USD
from nova_constructs.platforms import TrainingJobs


@dataclass(frozen=True, kw_only=True, slots=True)
class CostCeiling:
    """A limit in US dollars for the instances of one run.

    Compared with instances x count x hours of every job, training and evaluations, each as long as its `max_runtime`
    and `keep_alive` allow. `prices` are yours by instance type, in US dollars per hour; they go before those of the
    catalog, which are of one Region. Storage, requests and the deployed model are not in it.
    """

    usd: float
    prices: Mapping[str, float] = field(default_factory=dict)

    def problems(self, jobs: Mapping[str, TrainingJobs]) -> Iterable[str]:
        """Yield why the jobs, by their names, may cost more than the ceiling, or what is needed to tell."""
        if self.usd <= 0:
            yield f"cost_ceiling is {self.usd:g} USD: use more than 0, or leave it out"
        for name, price in self.prices.items():
            if price <= 0:
                yield f"cost_ceiling has {price:g} USD for {name}: use more than 0"
        prices = {**HOURLY_USD, **self.prices}
        unknown = dict.fromkeys(job.instance_type for job in jobs.values() if job.instance_type not in prices)
        for name in unknown:
            yield f"cost_ceiling knows no price for {name}: give it in prices, in US dollars per hour"
        if unknown:
            return
        bounds = {name: _hours(job) * job.instance_count * prices[job.instance_type] for name, job in jobs.items()}
        # To the cent, as amounts are given.
        if round(sum(bounds.values()), 2) > round(self.usd, 2):
            yield _excess(self.usd, jobs, bounds, prices)


def _hours(job: TrainingJobs) -> float:
    return (job.max_runtime.to_seconds() + (job.keep_alive.to_seconds() if job.keep_alive else 0)) / 3600


def _excess(
    usd: float, jobs: Mapping[str, TrainingJobs], bounds: Mapping[str, float], prices: Mapping[str, float]
) -> str:
    shown = ", ".join(
        f"{name} {job.instance_count} x {job.instance_type} x {_hours(job):g} h x {prices[job.instance_type]:g} USD = "
        f"{bounds[name]:,.2f} USD"
        for name, job in jobs.items()
    )
    return (
        f"a run may cost {sum(bounds.values()):,.2f} USD, and cost_ceiling is {usd:,.2f} USD ({shown}): "
        "lower max_runtime or the instances, or raise the ceiling"
    )
