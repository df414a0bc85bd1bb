"""What can be known at synth to be wrong with a gate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lambda_handlers import catalog
from lambda_handlers.catalog.lookup import nearest
from lambda_handlers.catalog.metrics import METRICS, Metric
from lambda_handlers.evaluation.gate.criteria import (
    Criterion,
    Floor,
    GeneralAbilityFloor,
    MinimumSamples,
    OfScore,
    is_number,
    metric_of,
)
from nova_constructs.evaluation_task import EvaluationTask
from nova_constructs.quality_gate import QualityGate


def gate_problems(gate: QualityGate, tasks: Sequence[EvaluationTask]) -> Iterable[str]:
    """Yield what cannot work, each in words that name the criterion, the value received and what is allowed."""
    if gate.is_open and gate.criteria:
        yield "gate is open and has criteria, which would decide nothing: leave out one of the two"
    if not gate.is_open and not gate.criteria:
        yield (
            "gate has no criteria: give at least one, such as a floor, or a candidate would pass unmeasured; "
            "if that is what you want, write QualityGate.open(), in YAML gate: {open: true}"
        )
    seen: set[tuple[object, ...]] = set()
    for criterion in gate.criteria:
        if not isinstance(criterion, Criterion):
            yield f"gate has the criterion {criterion!r}: use Floor, NotWorseThanProduction and the other kinds"
            continue
        yield from (f"gate: {problem}" for problem in criterion.problems())
        known = _known(criterion)
        if known in seen:
            yield f"gate has two criteria {criterion.name!r}: keep the one that is meant"
        seen.add(known)
        yield from _of_task(criterion, tasks)


def _known(criterion: Criterion) -> tuple[object, ...]:
    metric = None if isinstance(criterion, MinimumSamples) else metric_of(criterion)
    return criterion.kind, criterion.task, criterion.subtask, metric, criterion.baseline


def _of_task(criterion: Criterion, tasks: Sequence[EvaluationTask]) -> Iterable[str]:
    task = _evaluation_of(criterion, tasks)
    if task is None:
        known = ", ".join(each.name for each in tasks) or "none"
        yield (
            f"gate names task {criterion.task!r} (subtask {criterion.subtask or 'none'}), "
            f"which is not evaluated; tasks: {known}"
        )
    elif task.task in METRICS and not isinstance(criterion, MinimumSamples):
        yield from _of_metric(criterion, task)


def _evaluation_of(criterion: Criterion, tasks: Sequence[EvaluationTask]) -> EvaluationTask | None:
    """Return the evaluation whose record will hold the score: that of the subtask, or that of the whole task."""
    by_place = {(task.task, task.subtask): task for task in tasks}
    own = by_place.get((criterion.task, criterion.subtask))
    known = catalog.EVALUATION_TASKS.get(criterion.task)
    within = by_place.get((criterion.task, None)) if known and criterion.subtask in known.subtasks else None
    return own or within


def _of_metric(criterion: OfScore, task: EvaluationTask) -> Iterable[str]:
    known, name = METRICS[task.task], metric_of(criterion)
    if name is None:
        example = next(iter(known), "the one that your function returns")
        yield f"gate names task {task.task!r}, which has several metrics: name one, for instance metric: {example}"
    elif name in known:
        yield from _of_known_metric(criterion, known[name])
    elif not (task.processor or task.reward_function):  # whose metrics only their author knows
        near = nearest(name, known)
        hint = f"did you mean {near}? " if near else ""
        yield f"gate names metric {name!r} of task {task.task!r}, which has none such: {hint}use {', '.join(known)}"


def _of_known_metric(criterion: OfScore, metric: Metric) -> Iterable[str]:
    if not metric.more_is_better:
        yield f"gate: {criterion.measure} is better the smaller it is, so that a worse model would pass: name another"
    if metric.low is None or metric.high is None:
        return
    bounds = f"{metric.name} is between {metric.low:g} and {metric.high:g}"
    if isinstance(criterion, Floor):
        if is_number(criterion.floor) and metric.out_of_bounds(criterion.floor):
            yield f"gate: floor for {criterion.measure} is {criterion.floor:g}, but {bounds}"
        return
    word = "drop" if isinstance(criterion, GeneralAbilityFloor) else "margin"
    allowed = criterion.drop if isinstance(criterion, GeneralAbilityFloor) else criterion.margin
    if is_number(allowed) and allowed >= metric.high - metric.low:
        yield f"gate: {word} for {criterion.name} is {allowed:g}, but {bounds}, so that it would decide nothing"
