"""What a candidate may have to meet: one frozen value for each kind of criterion."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final

from lambda_handlers.catalog import evaluation_task
from lambda_handlers.catalog.lookup import UnknownNameError
from lambda_handlers.catalog.metrics import default_metric

CANDIDATE: Final = "candidate"
PRODUCTION: Final = "production"
BASE: Final = "base"
"""Whose scores a record holds; `base` is the model as Amazon publishes it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Criterion:
    """What all kinds have in common."""

    kind: ClassVar[str]

    task: str

    def config(self) -> dict[str, Any]:
        """Return the criterion as the function reads it."""
        return {"kind": self.kind, **{field.name: getattr(self, field.name) for field in fields(self)}}


@dataclass(frozen=True, kw_only=True, slots=True)
class _OfScore(_Criterion):
    """A criterion on one metric of a task or of one of its subtasks; `metric` defaults to the task's own."""

    metric: str | None = None
    subtask: str | None = None

    @property
    def measure(self) -> str:
        """Task, subtask and metric in one word, such as mmlu.accuracy."""
        return measure(self.task, self.subtask, metric_of(self))


@dataclass(frozen=True, kw_only=True, slots=True)
class Floor(_OfScore):
    """The score reaches `floor`."""

    kind: ClassVar[str] = "floor"
    baseline: ClassVar[str | None] = None

    floor: float

    @property
    def name(self) -> str:
        """What the decision calls the criterion."""
        return self.measure

    def problems(self) -> Iterator[str]:
        """Yield which numbers cannot be used."""
        if not is_number(self.floor):
            yield f"floor for {self.measure} is {self.floor!r}, which is not a number: give one, such as 0.5"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Compared(_OfScore):
    """A test of the difference to another model on the same set; `margin` is in the metric's own unit, from 0 up.

    `confidence` is that of the one-sided test, from 0.5 to below 1; default 0.95.
    """

    baseline: ClassVar[str]

    margin: float
    confidence: float = 0.95

    @property
    def name(self) -> str:
        """What the decision calls the criterion."""
        return f"{self.measure} against {self.baseline}"

    def problems(self) -> Iterator[str]:
        """Yield which numbers cannot be used."""
        if not is_number(self.margin) or self.margin < 0:
            yield f"margin for {self.name} is {self.margin!r}: use a number from 0 up, in the unit of the metric"
        # Below one half, a candidate that measured worse than the margin allows would pass.
        if not is_number(self.confidence) or not 0.5 <= self.confidence < 1:
            yield f"confidence for {self.name} is {self.confidence!r}: use a number from 0.5 to below 1, such as 0.95"


@dataclass(frozen=True, kw_only=True, slots=True)
class NotWorseThanProduction(_Compared):
    """The score is not below production's by more than `margin`: a test of non-inferiority."""

    kind: ClassVar[str] = "not_worse_than_production"
    baseline: ClassVar[str] = PRODUCTION


@dataclass(frozen=True, kw_only=True, slots=True)
class BetterThanBase(_Compared):
    """The score is above the base model's by at least `margin`: a test of superiority."""

    kind: ClassVar[str] = "better_than_base"
    baseline: ClassVar[str] = BASE


@dataclass(frozen=True, kw_only=True, slots=True)
class MinimumSamples(_Criterion):
    """The score rests on at least `samples` samples."""

    kind: ClassVar[str] = "minimum_samples"
    baseline: ClassVar[str | None] = None
    metric: ClassVar[str | None] = None

    samples: int
    subtask: str | None = None

    @property
    def name(self) -> str:
        """What the decision calls the criterion."""
        return f"{measure(self.task, self.subtask, None)} samples"

    def problems(self) -> Iterator[str]:
        """Yield which numbers cannot be used."""
        if not is_count(self.samples):
            yield f"samples for {self.task} is {self.samples!r}: use a whole number from 1 up"


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneralAbilityFloor(_Criterion):
    """The score of a whole task has not fallen by more than `drop`, in the metric's own unit, against another model.

    A plain comparison, without a test: `drop` is chosen well above what chance does to a score.
    """

    kind: ClassVar[str] = "general_ability"
    subtask: ClassVar[str | None] = None

    drop: float
    metric: str | None = None
    against: str = BASE

    @property
    def measure(self) -> str:
        """Task and metric in one word, such as mmlu.accuracy."""
        return measure(self.task, None, metric_of(self))

    @property
    def baseline(self) -> str:
        """The model that the score is compared with."""
        return self.against

    @property
    def name(self) -> str:
        """What the decision calls the criterion."""
        return f"{self.measure} drop against {self.against}"

    def problems(self) -> Iterator[str]:
        """Yield which values cannot be used."""
        if not is_number(self.drop) or self.drop < 0:
            yield f"drop for {self.measure} is {self.drop!r}: use a number from 0 up, in the unit of the metric"
        if self.against not in (BASE, PRODUCTION):
            yield f"against for {self.measure} is {self.against!r}: use {BASE} or {PRODUCTION}"


OfScore = Floor | NotWorseThanProduction | BetterThanBase | GeneralAbilityFloor
Criterion = OfScore | MinimumSamples


def measure(task: str, subtask: str | None, metric: str | None) -> str:
    """Return task, subtask and metric in one word."""
    return ".".join(part for part in (task, subtask, metric) if part)


def metric_of(criterion: _OfScore | GeneralAbilityFloor) -> str | None:
    """Return the metric that decides: the named one, or the task's own; None where there is not one."""
    if criterion.metric:
        return criterion.metric
    try:
        return default_metric(evaluation_task(criterion.task))
    except UnknownNameError:
        return None


def is_number(value: object) -> bool:
    """Tell whether a value is a number that can be compared: finite, and not true or false."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond what a float holds
        return False


def is_count(value: object) -> bool:
    """Tell whether a value is a whole number from 1 up."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
