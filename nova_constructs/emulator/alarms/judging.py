"""From the values of the last periods to the state of an alarm (CloudWatch user guide, "Alarm evaluation")."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

OK: Final = "OK"
ALARM: Final = "ALARM"
INSUFFICIENT_DATA: Final = "INSUFFICIENT_DATA"
EXTRA: Final = 2
"""Periods looked at before those to be evaluated, for data that came late; assumed, the guide's examples have two."""
COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """When an alarm goes off: `needed` of the last `periods` values compare so with the threshold."""

    comparison: str
    threshold: float
    periods: int
    needed: int
    missing: str = "missing"

    def judge(self, values: Sequence[float | None], before: str) -> str:
        """Return the state after values, the oldest first: those to be evaluated and EXTRA ones ahead of them.

        Missing values are treated as little as can be: values from before take their place.
        """
        breaching = [None if each is None else self._breaches(each) for each in values]
        real = [each for each in breaching if each is not None]
        if len(real) >= self.periods:
            return ALARM if sum(real[-self.periods :]) >= self.needed else OK
        if self.missing in ("breaching", "notBreaching"):
            filled = self.periods - len(real) if self.missing == "breaching" else 0
            return ALARM if sum(real) + filled >= self.needed else OK
        if not real:
            return before if self.missing == "ignore" else INSUFFICIENT_DATA
        if sum(real) >= self.needed:
            return ALARM
        if not all(real):
            return OK
        return before if self.missing == "ignore" else self._all_breach(breaching, before)

    def _all_breach(self, breaching: Sequence[bool | None], before: str) -> str:
        """Decide where few values are there and all of them breach: by how old the oldest is."""
        oldest = len(breaching) - next(place for place, each in enumerate(breaching) if each is not None)
        return ALARM if oldest >= self.needed else before

    def _breaches(self, value: float) -> bool:
        return COMPARISONS[self.comparison](value, self.threshold)
