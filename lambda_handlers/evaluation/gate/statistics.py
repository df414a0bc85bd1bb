"""Tests of the difference between two scores. One-sided; the bound decides, the p-value is for the record.

Every decision grows with the candidate's score: nothing that is better is ever held back for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist, fmean, stdev
from typing import Any, Final

_NORMAL: Final = NormalDist()
MINIMUM_PAIRS: Final = 30
"""Below this, the mean of differences is too far from normal for a test that assumes it (a common rule of thumb)."""
_SAME_MEAN: Final = 1e-3
"""How far the mean of per-sample scores may be from the reported score, which is rounded, relative to its size."""

Samples = Mapping[str, float]
"""Scores of one model by the id of the sample."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """One model's score, with what is known of its uncertainty: a standard error, or that it is a share of samples.

    `samples` is the number of them; `per_sample` holds their scores where they are to be had.
    """

    value: float
    stderr: float | None = None
    samples: int | None = None
    is_share: bool = False
    per_sample: Samples | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """What the difference has to be above, at which confidence; `strict`: a limit of 0 is not met by no difference."""

    difference: float
    confidence: float
    strict: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Tested:
    """How a comparison came out. `bound` is the lower end of what the true difference may be at the confidence."""

    name: str
    passed: bool
    difference: float
    confidence: float | None = None
    standard_error: float | None = None
    statistic: float | None = None
    p_value: float | None = None
    bound: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return what the record says of the test."""
        names = ("name", "difference", "confidence", "standard_error", "statistic", "p_value", "bound")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Inconclusive:
    """Why no test can decide: such a comparison is not passed."""

    reason: str


def compare(candidate: Score, baseline: Score, limit: Limit) -> Tested | Inconclusive:
    """Test whether the candidate's score is above the baseline's by more than the limit.

    Paired where both have per-sample scores, else by the two standard errors, else, for a share of known sample
    counts, by a two-proportion test.
    """
    if not math.isfinite(candidate.value - baseline.value):
        return Inconclusive("the scores are too far apart to be computed with")
    if candidate.per_sample is not None and baseline.per_sample is not None:
        return _paired(candidate, baseline, limit)
    if candidate.stderr is not None and baseline.stderr is not None:
        error = math.hypot(candidate.stderr, baseline.stderr)
        return _by_error("z_test", candidate, baseline, limit, error)
    if candidate.is_share and candidate.samples and baseline.samples:
        return _two_proportions(candidate, baseline, limit)
    without = [who for who, score in (("the candidate", candidate), ("the baseline", baseline)) if score.stderr is None]
    return Inconclusive(f"no standard error of {' and '.join(without)} was reported")


def at_least(value: float, other: float, difference: float) -> bool:
    """Tell whether a value is another plus a difference or more, in decimals as people read them: 0.3 is 0.1 + 0.2."""
    return _exact(value) - _exact(other) >= _exact(difference)


def _exact(value: float) -> Fraction:
    return Fraction(str(value))


def _by_error(
    name: str, candidate: Score, baseline: Score, limit: Limit, error: float, difference: float | None = None
) -> Tested | Inconclusive:
    """Test by a standard error of the difference, which is that of the two scores where no other is given."""
    if error == 0:
        return _without_error(candidate, baseline, limit)
    return _z_test(name, candidate.value - baseline.value if difference is None else difference, error, limit)


def _without_error(candidate: Score, baseline: Score, limit: Limit) -> Tested:
    enough = at_least(candidate.value, baseline.value, limit.difference)
    return Tested(
        name="exact_comparison",
        passed=enough and not (limit.strict and candidate.value <= baseline.value),
        difference=candidate.value - baseline.value,
    )


def _z_test(name: str, difference: float, error: float, limit: Limit) -> Tested | Inconclusive:
    bound = difference - _NORMAL.inv_cdf(limit.confidence) * error
    statistic = (difference - limit.difference) / error
    if not math.isfinite(bound):
        return Inconclusive("the standard errors are too large to be computed with")
    return Tested(
        name=name,
        passed=bound > limit.difference,
        difference=difference,
        confidence=limit.confidence,
        standard_error=error,
        statistic=statistic if math.isfinite(statistic) else None,
        p_value=_NORMAL.cdf(-statistic),
        bound=bound,
    )


def _two_proportions(candidate: Score, baseline: Score, limit: Limit) -> Tested | Inconclusive:
    """Test two shares by Agresti and Caffo (2000): each sample is given z²/4 more successes and as many failures.

    Without them the standard error of a share at 0 or 1 would be 0, and a better candidate could fail by having one.
    """
    shares = [_smoothed(score, _NORMAL.inv_cdf(limit.confidence) ** 2 / 4) for score in (candidate, baseline)]
    if None in shares:
        return Inconclusive("a share is not between 0 and 1")
    (ours, our_error), (theirs, their_error) = (share for share in shares if share)
    difference, error = ours - theirs, math.hypot(our_error, their_error)
    return _by_error("two_proportion_z_test", candidate, baseline, limit, error, difference)


def _smoothed(score: Score, added: float) -> tuple[float, float] | None:
    if not 0 <= score.value <= 1 or not score.samples:
        return None
    number = score.samples + 2 * added
    share = (score.value * score.samples + added) / number
    return share, math.sqrt(share * (1 - share) / number)


def _paired(candidate: Score, baseline: Score, limit: Limit) -> Tested | Inconclusive:
    ours, theirs = candidate.per_sample or {}, baseline.per_sample or {}
    if ours.keys() != theirs.keys():
        return Inconclusive("the per-sample scores of the two models are not of the same samples")
    if len(ours) < MINIMUM_PAIRS:
        return Inconclusive(f"there are per-sample scores of {len(ours)} samples; a test takes {MINIMUM_PAIRS}")
    for score, scores in ((candidate, ours), (baseline, theirs)):
        if abs(fmean(scores.values()) - score.value) > _SAME_MEAN * max(1.0, abs(score.value)):
            return Inconclusive("the per-sample scores do not average to the reported score")
    error = stdev(ours[each] - theirs[each] for each in ours) / math.sqrt(len(ours))
    return _by_error("paired_z_test", candidate, baseline, limit, error)
