"""Scores are compared by the test that the reported uncertainty allows; without any, nothing passes."""

from __future__ import annotations

import json
from statistics import NormalDist
from typing import Any

import pytest

from tests.evaluation.gate_support import BETTER, NOT_WORSE, decide, only, record


def against_production(ours: dict[str, Any], theirs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the decision of non-inferiority by a margin of 0.02."""
    return only(decide([{**NOT_WORSE, **changes}], [record(**ours), record(model="production", **theirs)]))


def against_base(ours: dict[str, Any], theirs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the decision of superiority by a margin of 0.02."""
    return only(decide([{**BETTER, **changes}], [record(**ours), record(model="base", **theirs)]))


def test_the_z_test_as_worked_by_hand() -> None:
    # 0.72 - 0.70 = 0.02; standard error sqrt(0.012² + 0.009²) = 0.015; 0.02 - 1.644854 * 0.015 = -0.0046728
    found = against_production({"value": 0.72, "stderr": 0.012}, {"value": 0.70, "stderr": 0.009, "samples": None})
    assert found["passed"]
    assert found["threshold"] == pytest.approx(0.68)
    assert found["baseline"] == {"model": "production", "value": 0.70, "stderr": 0.009, "samples": None}
    test = found["test"]
    assert (test["name"], test["confidence"]) == ("z_test", 0.95)
    assert test["difference"] == pytest.approx(0.02)
    assert test["standard_error"] == pytest.approx(0.015)
    assert test["bound"] == pytest.approx(-0.0046728, abs=1e-7)
    assert test["statistic"] == pytest.approx(0.04 / 0.015)
    assert test["p_value"] == pytest.approx(0.0038304, abs=1e-6)
    assert found["name"] == "mmlu.accuracy against production"
    assert found["reason"] == (
        "mmlu.accuracy 0.72 is shown to be no more than 0.02 below production 0.7 "
        "(z-test: difference 0.02, at least -0.0046728 at 0.95 confidence)"
    )


def test_superiority_as_worked_by_hand() -> None:
    # The bound -0.0046728 is above -0.02 and below +0.02.
    found = against_base({"value": 0.72, "stderr": 0.012}, {"value": 0.70, "stderr": 0.009})
    assert not found["passed"]
    assert found["threshold"] == pytest.approx(0.72)
    assert found["test"]["statistic"] == pytest.approx(0.0, abs=1e-9)
    assert found["test"]["p_value"] == pytest.approx(0.5)
    assert found["reason"].startswith("mmlu.accuracy 0.72 is not shown to be above base 0.7 by 0.02 (z-test: ")
    assert found["name"] == "mmlu.accuracy against base"
    shown = against_base({"value": 0.75, "stderr": 0.012}, {"value": 0.70, "stderr": 0.009})
    assert shown["passed"]
    assert shown["reason"].startswith("mmlu.accuracy 0.75 is shown to be above base 0.7 by 0.02 (z-test: ")


@pytest.mark.parametrize(("confidence", "passed"), [(0.5, True), (0.95, True), (0.99, False)])
def test_more_confidence_asks_for_more(confidence: float, passed: bool) -> None:
    # (0.02 + 0.02) / 0.02 = 2 standard errors: enough for 0.95 (1.64), not for 0.99 (2.33)
    found = against_production({"value": 0.72, "stderr": 0.02}, {"value": 0.70, "stderr": 0.0}, confidence=confidence)
    assert (found["passed"], found["test"]["confidence"]) == (passed, confidence)
    bound = found["test"]["difference"] - NormalDist().inv_cdf(confidence) * 0.02
    assert found["test"]["bound"] == pytest.approx(bound)


@pytest.mark.parametrize(("compared", "value"), [(against_production, 0.25), (against_base, 0.75)])
def test_a_bound_on_the_limit_is_not_above_it(compared: Any, value: float) -> None:
    # At confidence 0.5 the bound is the difference itself; these numbers are exact in binary.
    found = compared({"value": value, "stderr": 0.01}, {"value": 0.5, "stderr": 0.01}, margin=0.25, confidence=0.5)
    assert found["test"]["bound"] == found["test"]["difference"] == value - 0.5
    assert not found["passed"]
    more = {"value": value + 0.001, "stderr": 0.01}
    assert compared(more, {"value": 0.5, "stderr": 0.01}, margin=0.25, confidence=0.5)["passed"]


@pytest.mark.parametrize(
    ("value", "other", "passed"), [(0.65, 0.7, True), (0.6499, 0.7, False), (0.8, 0.7, True), (0.3, 0.35, True)]
)
def test_without_error_on_either_side_numbers_are_compared_as_they_are_written(
    value: float, other: float, passed: bool
) -> None:
    # 0.65 - 0.70 is below -0.05 in binary; as written it is not.
    found = against_production({"value": value, "stderr": 0}, {"value": other, "stderr": 0.0}, margin=0.05)
    assert found["passed"] is passed
    assert found["test"] == {
        "name": "exact_comparison",
        "difference": value - other,
        "confidence": None,
        "standard_error": None,
        "statistic": None,
        "p_value": None,
        "bound": None,
    }
    assert found["reason"].endswith(f"(without standard error: difference {value - other:g})")


@pytest.mark.parametrize(
    ("value", "margin", "passed"),
    [(0.75, 0.05, True), (0.7499, 0.05, False), (0.7, 0, False), (0.7001, 0, True), (0.6, 0, False)],
)
def test_without_error_better_means_better(value: float, margin: float, passed: bool) -> None:
    found = against_base({"value": value, "stderr": 0}, {"value": 0.7, "stderr": 0}, margin=margin)
    assert found["passed"] is passed


def test_not_worse_by_nothing_is_met_by_the_same_score() -> None:
    found = against_production({"value": 0.7, "stderr": 0}, {"value": 0.7, "stderr": 0}, margin=0)
    assert found["passed"]
    assert found["reason"] == (
        "mmlu.accuracy 0.7 is shown to be no worse than production 0.7 (without standard error: difference 0)"
    )


def test_zero_error_on_one_side_is_a_z_test() -> None:
    found = against_production({"value": 1.0, "stderr": 0}, {"value": 0.7, "stderr": 0.1})
    assert (found["test"]["name"], found["test"]["standard_error"]) == ("z_test", 0.1)
    found = against_production({"value": 1.0, "stderr": 0.1}, {"value": 0.7, "stderr": 0})
    assert (found["test"]["name"], found["test"]["standard_error"]) == ("z_test", 0.1)


@pytest.mark.parametrize(
    ("ours", "theirs", "who"),
    [
        (None, 0.01, "the candidate"),
        (0.01, None, "the baseline"),
        (None, None, "the candidate and the baseline"),
    ],
)
def test_a_missing_standard_error_is_inconclusive_and_does_not_pass(ours: Any, theirs: Any, who: str) -> None:
    found = against_production({"value": 0.9, "stderr": ours}, {"value": 0.1, "stderr": theirs})
    assert (found["passed"], found["test"], found["value"], found["threshold"]) == (False, None, 0.9, 0.08)
    assert (
        found["reason"] == f"mmlu.accuracy against production is inconclusive: no standard error of {who} was reported"
    )


@pytest.mark.parametrize("error", [float("nan"), float("inf"), -0.01, -1e-300, "0.01", True, 10**400])
@pytest.mark.parametrize("broken", ["candidate", "production"])
def test_a_standard_error_that_is_none_does_not_pass(error: Any, broken: str) -> None:
    errors = {"candidate": 0.001, "production": 0.001, broken: error}
    found = against_production(
        {"value": 0.9, "stderr": errors["candidate"], "samples": 1000},
        {"value": 0.1, "stderr": errors["production"], "samples": 1000},
    )
    assert not found["passed"]
    assert found["reason"] == f"the standard error of mmlu.accuracy ({broken}) is {error!r}, which is none"
    json.dumps(found, allow_nan=False)


def test_two_proportions_where_accuracy_has_samples_and_no_standard_error() -> None:
    # Agresti and Caffo (2000) with z = 1.644854: z²/4 = 0.676385 is added to successes and to failures of each side.
    found = against_production({"value": 0.75, "samples": 400}, {"value": 0.70, "samples": 400})
    ours, theirs = (300 + 0.676385) / 401.352771, (280 + 0.676385) / 401.352771
    error = ((ours * (1 - ours) + theirs * (1 - theirs)) / 401.352771) ** 0.5
    test = found["test"]
    assert test["name"] == "two_proportion_z_test"
    assert test["difference"] == pytest.approx(ours - theirs, abs=1e-6)
    assert test["standard_error"] == pytest.approx(error, abs=1e-6)
    assert test["bound"] == pytest.approx(ours - theirs - 1.644854 * error, abs=1e-6)
    assert found["passed"]
    assert "(two-proportion z-test: difference 0.0498315, at least " in found["reason"]


def test_standard_errors_go_before_proportions_and_one_of_them_is_not_enough() -> None:
    both = {"stderr": 0.01, "samples": 400}
    assert against_production({"value": 0.75, **both}, {"value": 0.7, **both})["test"]["name"] == "z_test"
    one = against_production({"value": 0.75, "samples": 400}, {"value": 0.7, **both})
    assert one["test"]["name"] == "two_proportion_z_test"
    other = against_production({"value": 0.75, **both}, {"value": 0.7, "samples": 400})
    assert other["test"]["name"] == "two_proportion_z_test"


def test_few_samples_do_not_show_what_many_do() -> None:
    for samples, passed in ((20, False), (20_000, True)):
        found = against_production({"value": 1.0, "samples": samples}, {"value": 1.0, "samples": samples})
        assert found["passed"] is passed, samples


@pytest.mark.parametrize("samples", [{"candidate": 400}, {"production": 400}, {}])
def test_a_proportion_of_unknown_samples_is_inconclusive(samples: dict[str, int]) -> None:
    found = against_production(
        {"value": 0.9, "samples": samples.get("candidate")}, {"value": 0.1, "samples": samples.get("production")}
    )
    assert (found["passed"], found["test"]) == (False, None)
    assert "is inconclusive: no standard error of the candidate and the baseline was reported" in found["reason"]


@pytest.mark.parametrize(("ours", "theirs"), [(1.01, 0.5), (0.9, -0.01), (75, 70)])
def test_a_share_that_is_none_is_inconclusive(ours: float, theirs: float) -> None:
    found = against_production({"value": ours, "samples": 400}, {"value": theirs, "samples": 400})
    assert not found["passed"]
    assert found["reason"].endswith("is inconclusive: a share is not between 0 and 1")


def test_only_accuracy_is_a_share() -> None:
    criterion = {**NOT_WORSE, "task": "math", "margin": 0.5}
    records = [
        record(0.9, model, task="math", metric="exact_match", samples=500) for model in ("candidate", "production")
    ]
    assert "no standard error" in only(decide([criterion], records))["reason"]


def test_scores_beyond_what_can_be_computed_are_inconclusive() -> None:
    found = against_production({"value": 1.7e308, "stderr": 0.1}, {"value": -1.7e308, "stderr": 0.1})
    assert found["reason"].endswith("inconclusive: the scores are too far apart to be computed with")
    found = against_production({"value": 0.9, "stderr": 1.7e308}, {"value": 0.5, "stderr": 1.7e308})
    assert found["reason"].endswith("inconclusive: the standard errors are too large to be computed with")
    tiny = against_production({"value": 0.9, "stderr": 5e-324}, {"value": 0.5, "stderr": 0})
    assert (tiny["passed"], tiny["test"]["statistic"], tiny["test"]["p_value"]) == (True, None, 0.0)
    json.dumps(tiny, allow_nan=False)


def lines(scores: list[Any], metric: str = "accuracy") -> list[dict[str, Any]]:
    return [{"id": number, metric: score} for number, score in enumerate(scores)]


def paired(ours: list[Any], theirs: list[Any], **changes: Any) -> dict[str, Any]:
    """Return the decision on models whose scores are the means of per-sample scores and have wide standard errors."""
    means = [sum(scores) / len(scores) for scores in (ours, theirs)]
    return against_production(
        {"value": means[0], "stderr": 0.1, "per_sample": lines(ours)},
        {"value": means[1], "stderr": 0.1, "per_sample": lines(theirs)},
        **changes,
    )


def test_paired_scores_show_what_two_standard_errors_do_not() -> None:
    ours, theirs = [1.0] * 60 + [0.0] * 40, [1.0] * 59 + [0.0] * 41
    found = paired(ours, theirs)
    assert found["passed"]
    assert found["test"]["name"] == "paired_z_test"
    assert found["test"]["difference"] == pytest.approx(0.01)
    # One difference of 1 among 100: variance (1/100)(99/100) * 100/99 = 0.01, standard error sqrt(0.01 / 100)
    assert found["test"]["standard_error"] == pytest.approx(0.01)
    assert found["test"]["bound"] == pytest.approx(0.01 - 1.644854 * 0.01, abs=1e-8)
    assert "(paired z-test: difference 0.01, at least " in found["reason"]
    unpaired = against_production({"value": 0.6, "stderr": 0.1}, {"value": 0.59, "stderr": 0.1})
    assert not unpaired["passed"]


def test_a_paired_test_needs_the_scores_of_both() -> None:
    ours = {"value": 1.0, "stderr": 0.1, "per_sample": lines([1.0] * 40)}
    assert against_production(ours, {"value": 0.5, "stderr": 0.1})["test"]["name"] == "z_test"
    theirs = {"value": 0.5, "stderr": 0.1, "per_sample": lines([0.5] * 40, "f1")}
    assert against_production(ours, theirs)["test"]["name"] == "z_test"
    turned = against_production({**theirs, "value": 0.9}, {**ours, "value": 0.5})
    assert turned["test"]["name"] == "z_test"


def test_pairs_without_any_spread_are_compared_exactly() -> None:
    assert paired([0.5] * 30, [0.5] * 30, margin=0)["test"]["name"] == "exact_comparison"
    assert paired([0.5] * 30, [0.5] * 30, margin=0)["passed"]
    assert not paired([0.25] * 30, [0.5] * 30)["passed"]


def test_the_order_of_samples_does_not_matter() -> None:
    ours, theirs = lines([1.0, 0.0] * 20), lines([1.0, 0.0] * 20)
    found = against_production(
        {"value": 0.5, "stderr": 0.1, "per_sample": ours}, {"value": 0.5, "stderr": 0.1, "per_sample": theirs[::-1]}
    )
    assert (found["passed"], found["test"]["name"]) == (True, "exact_comparison")


HALF = [0.5] * 30


@pytest.mark.parametrize(
    ("ours", "theirs", "reason"),
    [
        (lines(HALF), lines([0.5] * 31), "the per-sample scores of the two models are not of the same samples"),
        (lines(HALF[1:]), lines(HALF[1:]), "there are per-sample scores of 29 samples; a test takes 30"),
        (lines([0.6] * 30), lines(HALF), "the per-sample scores do not average to the reported score"),
        (lines(HALF), lines([0.4] * 30), "the per-sample scores do not average to the reported score"),
        (lines([0.5015] * 30), lines(HALF), "the per-sample scores do not average to the reported score"),
        (lines([*HALF[1:], float("nan")]), lines(HALF), "a sample of mmlu.accuracy of candidate is nan"),
        (
            lines([*HALF[1:], 1e101]),
            lines(HALF),
            "the per-sample scores of mmlu.accuracy (candidate) are not one number for each id",
        ),
        (
            lines([*HALF[1:], -1e101]),
            lines(HALF),
            "the per-sample scores of mmlu.accuracy (candidate) are not one number for each id",
        ),
        (
            [*lines(HALF), *lines([0.5])],
            lines(HALF),
            "the per-sample scores of mmlu.accuracy (candidate) are not one number for each id",
        ),
        (
            [*lines(HALF), {"id": 99}],
            lines(HALF),
            "the per-sample scores of mmlu.accuracy (candidate) are not one number for each id",
        ),
        (
            [*lines(HALF), "x"],
            lines(HALF),
            "the per-sample scores of mmlu.accuracy (candidate) are not one number for each id",
        ),
    ],
)
def test_pairs_that_do_not_fit_do_not_pass(ours: list[Any], theirs: list[Any], reason: str) -> None:
    found = against_production(
        {"value": 0.5, "stderr": 0.0001, "per_sample": ours}, {"value": 0.5, "stderr": 0.0001, "per_sample": theirs}
    )
    assert (found["passed"], found["test"]) == (False, None)
    # What is wrong with one model's scores is told as it is, what is wrong between the two as inconclusive.
    assert found["reason"].removeprefix("mmlu.accuracy against production is inconclusive: ").startswith(reason)


def test_a_reported_score_may_be_rounded() -> None:
    found = against_production(
        {"value": 0.5, "stderr": 0.1, "per_sample": lines([0.5009] * 30)},
        {"value": 0.5, "stderr": 0.1, "per_sample": lines(HALF)},
    )
    assert found["passed"]
    scaled = against_production(
        {"value": 50.0, "stderr": 0.1, "per_sample": lines([50.04] * 30)},
        {"value": 50.0, "stderr": 0.1, "per_sample": lines([50.04] * 30)},
    )
    assert scaled["passed"]


def test_the_edges_of_per_sample_scores() -> None:
    rounded = against_production(
        {"value": 0.0, "stderr": 0.1, "per_sample": lines([0.001] * 30)},
        {"value": 0.0, "stderr": 0.1, "per_sample": lines([0.0] * 30)},
    )
    assert rounded["test"]["name"] == "exact_comparison"
    great = paired([1e100] * 30, [1e100] * 30)
    assert great["passed"]


@pytest.mark.parametrize(("value", "other", "passed"), [(0.0, 0.0, True), (1.0, 1.0, True), (0.0, 1.0, False)])
def test_shares_at_their_ends(value: float, other: float, passed: bool) -> None:
    # At confidence 0.5 nothing is added to the samples: shares of 0 and 1 have no standard error.
    ends = {"value": value, "samples": 50}, {"value": other, "samples": 50}
    found = against_production(*ends, confidence=0.5)
    assert (found["passed"], found["test"]["name"]) == (passed, "exact_comparison")
    assert against_production(*ends)["test"]["name"] == "two_proportion_z_test"
