"""The most that the jobs of one run may cost, compared with the most that they can."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lambda_handlers.planning import cost


@dataclass(frozen=True, kw_only=True, slots=True)
class CostCeiling:
    """A limit in US dollars for the instances of one run.

    Compared with instances x count x hours of every job, training and evaluations, each as long as its `max_runtime`
    and `keep_alive` allow and by its dearest instance choice: at synth, and by the plan of every run, which ends
    `CostCeilingExceeded` above it. `prices` are yours by instance type, in US dollars per hour; they go before those of
    the catalog, which are of one Region. Storage, requests and the deployed model are not in it.
    """

    usd: float
    prices: Mapping[str, float] = field(default_factory=dict)

    def problems(self, jobs: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
        """Yield why jobs may cost more than the ceiling, or what is needed to tell.

        `jobs` are the settings of a run's jobs by stage, as `TrainingJobs.config` gives them.
        """
        amounts = list(self._amount_problems())
        yield from amounts
        if not amounts:
            yield from cost.bound(jobs, self.prices).problems(self.usd)

    def _amount_problems(self) -> Iterable[str]:
        if not _is_amount(self.usd):
            yield f"cost_ceiling is {self.usd:g} USD: use more than 0, or leave it out"
        for name, price in self.prices.items():
            if not _is_amount(price):
                yield f"cost_ceiling has {price:g} USD for {name}: use more than 0"

    def config(self) -> dict[str, Any]:
        """Return the ceiling as the plan of a run reads it."""
        return {"usd": self.usd, "prices": dict(self.prices)}


def _is_amount(usd: float) -> bool:
    # Neither more nor less than anything is what .nan in YAML would be.
    return math.isfinite(usd) and usd > 0
