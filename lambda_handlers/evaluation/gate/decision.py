"""The decision on a candidate: it passes when every criterion holds, and only then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lambda_handlers.evaluation.gate import sentence
from lambda_handlers.evaluation.gate.criteria import (
    BASE,
    CANDIDATE,
    PRODUCTION,
    BetterThanBase,
    Criterion,
    Floor,
    GeneralAbilityFloor,
    MinimumSamples,
    NotWorseThanProduction,
    OfScore,
    measure,
    metric_of,
)
from lambda_handlers.evaluation.gate.measurements import Measurement, Measurements, NotMeasuredError
from lambda_handlers.evaluation.gate.statistics import Inconclusive, Limit, at_least, compare
from lambda_handlers.protocol.errors import InvalidRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class CriterionResult:
    """How one criterion came out, with a sentence for people; what could not be decided has not passed."""

    name: str
    kind: str
    value: float | None = None
    threshold: float | None = None
    passed: bool = False
    test: Mapping[str, Any] | None = None
    reason: str
    baseline: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class GateDecision:
    """The verdict on a candidate. `is_open`: nothing was asked of the scores but that they are there."""

    criteria: tuple[CriterionResult, ...]
    is_open: bool = False

    @property
    def passed(self) -> bool:
        """Tell whether every criterion holds."""
        return bool(self.criteria) and all(result.passed for result in self.criteria)

    @property
    def sentence(self) -> str:
        """Return the verdict in one sentence."""
        told = [result for result in self.criteria if self.passed or not result.passed]
        count = "Passed" if self.passed else f"Failed {len(told)} of {len(self.criteria)} criteria"
        opened = "Open gate, which asks nothing of the scores. " if self.is_open else ""
        return f"{opened}{count}: {'; '.join(result.reason for result in told)}."

    def as_dict(self) -> dict[str, Any]:
        """Return the form that the state machine and the ledger take."""
        return {
            "verdict": "PASSED" if self.passed else "FAILED",
            "open": self.is_open,
            "criteria": [asdict(result) for result in self.criteria],
            "sentence": self.sentence,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """What the decision rests on beside the scores.

    `has_production` is what the pointer says, never what the records lack: a production model whose scores are missing
    is no first run. `evaluated` are the task and subtask of each evaluation that was asked for.
    """

    criteria: Sequence[Criterion]
    has_production: bool
    evaluated: Sequence[tuple[str, str | None]] = ()
    is_open: bool = False

    def decide(self, evaluations: Iterable[Any]) -> GateDecision:
        """Decide on a candidate by the evaluation records of a run.

        Raises InvalidRequest where nothing is asked for and the gate is not open in so many words, or where an open
        gate has nothing to look at.
        """
        if self.is_open == bool(self.criteria) or (self.is_open and not self.evaluated):
            raise InvalidRequest("The gate has no criteria; give at least one, or open it with evaluations to be read.")
        scores = Measurements.of(evaluations)
        results = [self._result(criterion, scores) for criterion in self.criteria]
        read = [_read(task, subtask, scores) for task, subtask in self.evaluated]
        missing = [each for each in read if self.is_open or not each.passed]
        return GateDecision(criteria=(*results, *missing), is_open=self.is_open)

    def _result(self, criterion: Criterion, scores: Measurements) -> CriterionResult:
        known: dict[str, Any] = {"name": criterion.name, "kind": criterion.kind}
        try:
            for facts in self._facts(criterion, scores):
                known |= facts
        except NotMeasuredError as trouble:
            known |= {"passed": False, "reason": str(trouble)}
        return CriterionResult(**known)

    def _facts(self, criterion: Criterion, scores: Measurements) -> Iterable[dict[str, Any]]:
        """Yield what is found out about a criterion, so that what is known before a trouble is told too."""
        if isinstance(criterion, MinimumSamples):
            yield {"threshold": criterion.samples}
            samples = scores.samples(criterion.task, criterion.subtask, CANDIDATE)
            enough = samples >= criterion.samples
            reason = sentence.samples_reason(criterion.name, samples, criterion.samples, enough)
            yield {"value": samples, "passed": enough, "reason": reason}
            return
        if isinstance(criterion, Floor):
            yield {"threshold": criterion.floor}
        ours = self._measurement(criterion, scores, CANDIDATE)
        yield {"value": ours.value}
        if isinstance(criterion, Floor):
            reaches = ours.value >= criterion.floor
            reason = sentence.floor_reason(ours.what, ours.value, criterion.floor, reaches)
            yield {"passed": reaches, "reason": reason}
            return
        first = criterion.baseline == PRODUCTION and not self.has_production
        theirs = self._measurement(criterion, scores, BASE if first else criterion.baseline)
        yield {"baseline": theirs.as_baseline()}
        ours.check_same_set(theirs)
        decided = (
            _dropped(criterion, ours, theirs)
            if isinstance(criterion, GeneralAbilityFloor)
            else _tested(criterion, ours, theirs)
        )
        yield {**decided, "reason": decided["reason"] + (sentence.NO_PRODUCTION if first else "")}

    @staticmethod
    def _measurement(criterion: OfScore, scores: Measurements, model: str) -> Measurement:
        metric = metric_of(criterion)
        if metric is None:
            raise NotMeasuredError(f"no metric of {criterion.task} is named")
        return scores.read(criterion.task, criterion.subtask, metric, model)


def _dropped(criterion: GeneralAbilityFloor, ours: Measurement, theirs: Measurement) -> dict[str, Any]:
    holds = at_least(ours.value, theirs.value, -criterion.drop)
    return {
        "threshold": theirs.value - criterion.drop,
        "passed": holds,
        "reason": sentence.drop_reason(ours.what, ours.value, theirs.value, theirs.model, criterion.drop, holds),
    }


def _tested(
    criterion: NotWorseThanProduction | BetterThanBase, ours: Measurement, theirs: Measurement
) -> dict[str, Any]:
    better = isinstance(criterion, BetterThanBase)
    limit = Limit(
        difference=criterion.margin if better else -criterion.margin, confidence=criterion.confidence, strict=better
    )
    tested = compare(ours.score(), theirs.score(), limit)
    threshold = {"threshold": theirs.value + limit.difference}
    if isinstance(tested, Inconclusive):
        return {**threshold, "passed": False, "reason": f"{criterion.name} is inconclusive: {tested.reason}"}
    reason = sentence.tested_reason(ours.what, ours.value, theirs.value, theirs.model, limit, tested)
    return {**threshold, "passed": tested.passed, "test": tested.as_dict(), "reason": reason}


def _read(task: str, subtask: str | None, scores: Measurements) -> CriterionResult:
    """Tell whether an evaluation that was asked for is there."""
    name = measure(task, subtask, None)
    try:
        scores.check_read(task, subtask, CANDIDATE)
    except NotMeasuredError as trouble:
        return CriterionResult(name=name, kind="evaluated", reason=str(trouble))
    return CriterionResult(name=name, kind="evaluated", passed=True, reason=f"{name} was read")
