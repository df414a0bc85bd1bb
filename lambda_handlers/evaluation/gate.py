"""The gate: a candidate passes when every criterion holds, and only then."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lambda_handlers.catalog import evaluation_task
from lambda_handlers.protocol.errors import InvalidRequest
from lambda_handlers.protocol.ledger import Ledger


@dataclass(frozen=True, kw_only=True, slots=True)
class Criterion:
    """A floor under one metric of one evaluation."""

    task: str
    metric: str
    floor: float
    subtask: str | None = None

    @property
    def name(self) -> str:
        """Return task, subtask and metric in one word, such as mmlu.accuracy."""
        return ".".join(part for part in (self.task, self.subtask, self.metric) if part)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Criterion:
        """Read a criterion, the task's own metric by default; raise InvalidRequest if its floor is not a number."""
        floor = values.get("floor")
        if isinstance(floor, bool) or not isinstance(floor, int | float) or not math.isfinite(floor):
            raise InvalidRequest(f"The gate's floor for {values.get('task')} is {floor!r}, which is not a number.")
        metric = values.get("metric") or evaluation_task(values["task"]).metric
        return cls(task=values["task"], metric=metric, floor=floor, subtask=values.get("subtask"))


@dataclass(frozen=True, kw_only=True, slots=True)
class CriterionResult:
    """How one criterion came out, with a sentence for people."""

    name: str
    value: float | None
    threshold: float
    passed: bool
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GateDecision:
    """The verdict on a candidate."""

    criteria: tuple[CriterionResult, ...]

    @property
    def passed(self) -> bool:
        """Tell whether every criterion holds."""
        return all(result.passed for result in self.criteria)

    @property
    def sentence(self) -> str:
        """Return the verdict in one sentence."""
        failed = [result for result in self.criteria if not result.passed]
        if not failed:
            return f"Passed: {'; '.join(result.reason for result in self.criteria)}."
        return f"Failed {len(failed)} of {len(self.criteria)} criteria: {'; '.join(each.reason for each in failed)}."

    def as_dict(self) -> dict[str, Any]:
        """Return the form that the state machine and the ledger take."""
        return {
            "verdict": "PASSED" if self.passed else "FAILED",
            "criteria": [asdict(result) for result in self.criteria],
            "sentence": self.sentence,
        }


def decide(criteria: Sequence[Criterion], evaluations: Iterable[Any]) -> GateDecision:
    """Compare scores with floors; a score that is missing or not a number never passes.

    Raises InvalidRequest when there is no criterion: an empty gate would let everything through.
    """
    if not criteria:
        raise InvalidRequest("The gate has no criteria; give at least one.")
    known = [evaluation for evaluation in evaluations if isinstance(evaluation, Mapping)]
    return GateDecision(criteria=tuple(_result(criterion, known) for criterion in criteria))


def decide_run(event: Mapping[str, Any], *, ledger: Ledger) -> dict[str, Any]:
    """Decide on the candidate of a run and record the decision."""
    decision = decide([Criterion.parse(each) for each in event["criteria"]], event["evaluations"]).as_dict()
    ledger.append(run_id=event["run"]["id"], event_id="gate-decided", type="gate_decided", detail=decision)
    return decision


def _result(criterion: Criterion, evaluations: Iterable[Mapping[str, Any]]) -> CriterionResult:
    value, trouble = _score(criterion, evaluations)
    passed = value is not None and value >= criterion.floor
    relation = "reaches" if passed else "is below"
    reason = trouble if value is None else f"{criterion.name} {value:g} {relation} the floor {criterion.floor:g}"
    return CriterionResult(name=criterion.name, value=value, threshold=criterion.floor, passed=passed, reason=reason)


def _score(criterion: Criterion, evaluations: Iterable[Mapping[str, Any]]) -> tuple[float | None, str]:
    found = [
        each
        for each in evaluations
        if each.get("task") == criterion.task and (each.get("subtask") or None) == (criterion.subtask or None)
    ]
    if len(found) != 1:
        return None, f"{criterion.name} cannot be decided: {len(found) or 'no'} evaluations of it are there"
    metrics = found[0].get("metrics")
    value = metrics.get(criterion.metric) if isinstance(metrics, Mapping) else None
    if value is None:
        there = ", ".join(sorted(metrics)) if isinstance(metrics, Mapping) and metrics else "none"
        return None, f"{criterion.name} was not measured; metrics there: {there}"
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None, f"{criterion.name} is {value!r}, which is not a number"
    return float(value), ""
