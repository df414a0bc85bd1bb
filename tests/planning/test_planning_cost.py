"""The bound of a run's cost, by hand-made figures."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_handlers.planning import cost

PRICES = {"a": 10.0, "b": 3.0}


def job(instance_type: str = "a", count: int = 1, hours: float = 1, **more: Any) -> dict[str, Any]:
    return {
        "instance_type": instance_type,
        "instance_count": count,
        "max_runtime_seconds": round(hours * 3600),
        **more,
    }


def test_every_job_counts_with_its_instances_its_hours_and_its_warm_pool() -> None:
    found = cost.bound(
        {"training": job(count=4, hours=2.5, keep_alive_seconds=1800), "evaluation-mmlu": job("b")}, PRICES
    )
    told = found.as_dict(500)
    assert (told["bound_usd"], told["ceiling_usd"], told["unpriced"]) == (4 * 3 * 10 + 3, 500, [])
    assert [list(each) for each in told["jobs"]] == [
        ["stage", "instance_type", "instance_count", "hours", "usd_per_hour", "usd"]
    ] * 2
    assert [list(each.values()) for each in told["jobs"]] == [
        ["training", "a", 4, 3.0, 10.0, 120.0],
        ["evaluation-mmlu", "b", 1, 1.0, 3.0, 3.0],
    ]


@pytest.mark.parametrize(("count", "dearest"), [(3, ("a", 1, 10.0)), (4, ("b", 4, 12.0))])
def test_of_several_instance_choices_the_dearest_counts(count: int, dearest: tuple[str, int, float]) -> None:
    choice = {"instance_type": "b", "instance_count": count}
    [found] = cost.bound({"training": job(alternatives=[choice])}, PRICES).jobs
    assert (found.instance_type, found.instance_count, found.usd) == dearest


def test_a_job_without_a_count_has_one_instance() -> None:
    assert cost.bound({"evaluation-mmlu": {**job(), "instance_count": None}}, PRICES).usd == 10


def test_a_type_without_a_price_leaves_no_bound_and_needs_one_where_there_is_a_ceiling() -> None:
    choices = [{"instance_type": name, "instance_count": 1} for name in ("new", "b", "newer")]
    found = cost.bound({"training": job(alternatives=choices), "evaluation-mmlu": job("new")}, PRICES)
    assert (found.usd, found.unpriced) == (None, ("new", "newer"))
    assert [each.usd for each in found.jobs] == [None, None]
    assert found.jobs[0].figures() == "training 1 x new x 1 h: no price"
    assert list(found.problems(1e9)) == [
        f"cost_ceiling knows no price for {name}: give it in prices, in US dollars per hour"
        for name in ("new", "newer")
    ]


def test_the_prices_of_the_catalog_are_used_where_none_is_given() -> None:
    [found] = cost.bound({"training": job("ml.p5.48xlarge")}).jobs
    assert found.usd_per_hour == 63.296


def test_the_ceiling_is_compared_to_the_cent() -> None:
    found = cost.bound({"training": job(count=3, hours=1 / 3)}, {"a": 0.1})
    assert found.usd == 0.1
    assert list(found.problems(0.1)) == []
    [problem] = found.problems(0.09)
    assert problem.startswith(
        "a run may cost 0.10 USD, and cost_ceiling is 0.09 USD (training 3 x a x 0.333333 h x 0.1 USD"
    )
