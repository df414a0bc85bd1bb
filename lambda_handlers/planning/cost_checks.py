"""Check what a run may cost against the ceiling of its customization, before anything is submitted.

This is the check before submission. Functions that submit do not repeat it: what they send is fixed with the plan. The
instances are those of the plan's choices, of which the dearest was counted; limits and warm pool are of the same
definition of the workflow, which an execution keeps to its end; and no execution input changes any of them (`replicas`
of a recipe is protected).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_handlers.catalog import clusters
from lambda_handlers.jobs.choices import EXTRA_INSTANCES, instances_of, on_hyperpod
from lambda_handlers.planning import cost
from lambda_handlers.planning.account_checks import jobs_of
from lambda_handlers.planning.context import RunContext
from lambda_handlers.planning.modes import Mode
from lambda_handlers.protocol.errors import CostCeilingExceeded
from lambda_handlers.training.recipe import ResolvedRecipe


def check_cost(context: RunContext, mode: Mode, recipes: Mapping[str, ResolvedRecipe]) -> dict[str, Any]:
    """Return the cost of a run as its plan has it; note where the bound is above the ceiling or cannot be told.

    On HyperPod the recipe of a stage says how many instances a job takes beyond those it trains on.
    Every model that the gate compares with counts, though the scores of some may be known from an earlier run.
    """
    ceiling: Mapping[str, Any] = context.config.get("cost_ceiling") or {}
    jobs = {stage: _sized(settings, recipes.get(stage)) for stage, settings in jobs_of(context.config, mode)}
    found = cost.bound(jobs, ceiling.get("prices"))
    usd = ceiling.get("usd")
    for problem in found.problems(usd) if usd is not None else ():
        context.findings.problem(problem, CostCeilingExceeded)
    return found.as_dict(usd)


def _sized(settings: Mapping[str, Any], resolved: ResolvedRecipe | None) -> Mapping[str, Any]:
    if resolved is None or not on_hyperpod(settings):
        return settings
    count = instances_of(settings).count
    return {**settings, EXTRA_INSTANCES: clusters.footprint(resolved.recipe.values, count) - count}
