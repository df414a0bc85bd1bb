"""The bound of a run's cost is computed from limits and prices, and refused above the ceiling with its figures."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import Duration

from nova_constructs import ConfigurationError, CostCeiling, TrainingJobs

P5 = "ml.p5.48xlarge"


def job(count: int, hours: int, instance_type: str = P5, keep: Duration | None = None) -> dict[str, Any]:
    platform = TrainingJobs(
        instance_type=instance_type, instance_count=count, max_runtime=Duration.hours(hours), keep_alive=keep
    )
    return platform.config()


JOBS = {"training": job(4, 10), "evaluation-mmlu": job(1, 2)}
MOST = (4 * 10 + 1 * 2) * 63.296


def test_the_ceiling_itself_is_allowed_and_a_cent_less_is_not() -> None:
    assert list(CostCeiling(usd=MOST).problems(JOBS)) == []
    [problem] = CostCeiling(usd=MOST - 0.01).problems(JOBS)
    assert problem.startswith("a run may cost 2,658.43 USD, and cost_ceiling is 2,658.42 USD")
    assert "training 4 x ml.p5.48xlarge x 10 h x 63.296 USD = 2,531.84 USD" in problem
    assert "evaluation-mmlu 1 x ml.p5.48xlarge x 2 h x 63.296 USD = 126.59 USD" in problem


def test_a_warm_pool_counts() -> None:
    jobs = {"training": job(1, 1, keep=Duration.hours(3))}
    assert list(CostCeiling(usd=4 * 63.296).problems(jobs)) == []
    assert list(CostCeiling(usd=3.9 * 63.296).problems(jobs)) != []


def test_prices_of_the_user_go_first() -> None:
    assert list(CostCeiling(usd=42, prices={P5: 1.0}).problems(JOBS)) == []


def test_an_instance_type_without_a_price_needs_one() -> None:
    jobs = {"training": job(1, 1, "ml.p5en.48xlarge")}
    [problem] = CostCeiling(usd=1e9).problems(jobs)
    assert problem.startswith("cost_ceiling knows no price for ml.p5en.48xlarge: give it in prices")
    assert list(CostCeiling(usd=10, prices={"ml.p5en.48xlarge": 10}).problems(jobs)) == []


@pytest.mark.parametrize("amount", [0, -1, math.nan, math.inf])
def test_a_ceiling_or_price_that_is_no_amount_is_refused(amount: float) -> None:
    [ceiling] = CostCeiling(usd=amount).problems(JOBS)
    assert ceiling == f"cost_ceiling is {amount:g} USD: use more than 0, or leave it out"
    [price] = CostCeiling(usd=1, prices={P5: amount}).problems(JOBS)
    assert price == f"cost_ceiling has {amount:g} USD for ml.p5.48xlarge: use more than 0"


def test_above_the_ceiling_there_is_no_template(synthesize: Callable[..., Any], entry: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        synthesize({**entry, "cost_ceiling": {"usd": 5000}})
    [problem] = caught.value.problems
    assert caught.value.path == "Nova-Support/Support"
    # Four instances train and one evaluates by each of two tasks, a day each.
    assert f"a run may cost {(4 + 1 + 1) * 24 * 63.296:,.2f} USD" in problem
    synthesize({**entry, "cost_ceiling": {"usd": 5000, "prices": {P5: 10}}})


def test_further_training_and_models_of_comparison_count_at_synth(
    synthesize: Callable[..., Any], entry: dict[str, Any]
) -> None:
    changed = {
        **entry,
        "cost_ceiling": {"usd": 5000},
        "further_training": [{"name": "more", "dataset": "uploads/more.jsonl"}],
        "gate": {"criteria": [{"kind": "better_than_base", "task": entry["evaluation"][0]["task"], "margin": 0.01}]},
    }
    with pytest.raises(ConfigurationError) as caught:
        synthesize(changed)
    [problem] = [each for each in caught.value.problems if each.startswith("a run may cost")]
    assert f"a run may cost {(4 + 4 + 1 + 1 + 1) * 24 * 63.296:,.2f} USD" in problem
    assert "training-more 4 x" in problem
    assert f"evaluation-{entry['evaluation'][0]['task']}-base 1 x" in problem


def test_the_plan_gets_ceiling_and_prices(definition_of: Callable[..., Any], entry: dict[str, Any]) -> None:
    ceiling = {"usd": 5000, "prices": {P5: 10.0}}
    parameters = definition_of({**entry, "cost_ceiling": ceiling})["States"]["PlanRun"]["Parameters"]
    assert parameters["config"]["cost_ceiling"] == ceiling
