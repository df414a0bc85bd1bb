"""The decision in words for people."""

from __future__ import annotations

from lambda_handlers.evaluation.gate.statistics import Limit, Tested

_TESTS = {
    "z_test": "z-test",
    "two_proportion_z_test": "two-proportion z-test",
    "paired_z_test": "paired z-test",
    "exact_comparison": "without standard error",
}
NO_PRODUCTION = "; there is no production model yet, so the base model is compared with"


def floor_reason(measure: str, value: float, floor: float, passed: bool) -> str:
    """Say how a score stands to its floor."""
    return f"{measure} {value:g} {'reaches' if passed else 'is below'} the floor {floor:g}"


def samples_reason(name: str, samples: int, least: int, passed: bool) -> str:
    """Say how many samples there are, and how many are asked for."""
    return f"{name}: {samples}, {'at least' if passed else 'fewer than'} {least}"


def drop_reason(measure: str, value: float, other: float, model: str, drop: float, passed: bool) -> str:
    """Say how far a score has fallen."""
    verdict = "has not fallen" if passed else "has fallen"
    return f"{measure} {verdict} by more than {drop:g}: {value:g} against {model} {other:g}"


def tested_reason(measure: str, value: float, other: float, model: str, limit: Limit, tested: Tested) -> str:
    """Say what a test found."""
    found = "is shown" if tested.passed else "is not shown"
    wanted = _better if limit.strict else _not_worse
    return f"{measure} {value:g} {found} {wanted(model, other, abs(limit.difference))} ({_numbers(tested)})"


def _better(model: str, other: float, margin: float) -> str:
    return f"to be above {model} {other:g} by {margin:g}" if margin else f"to be above {model} {other:g}"


def _not_worse(model: str, other: float, margin: float) -> str:
    return (
        f"to be no more than {margin:g} below {model} {other:g}" if margin else f"to be no worse than {model} {other:g}"
    )


def _numbers(tested: Tested) -> str:
    words = _TESTS[tested.name]
    if tested.bound is None:
        return f"{words}: difference {tested.difference:g}"
    return f"{words}: difference {tested.difference:g}, at least {tested.bound:g} at {tested.confidence:g} confidence"
