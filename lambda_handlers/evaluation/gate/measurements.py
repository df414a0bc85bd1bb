"""Finds the score that a criterion is about among the records of a run; what is not there never counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lambda_handlers.catalog import EVALUATION_TASKS
from lambda_handlers.catalog.metrics import METRICS
from lambda_handlers.evaluation.gate.criteria import is_count, is_number, measure
from lambda_handlers.evaluation.gate.statistics import Samples, Score

_GREATEST_SAMPLE_SCORE: Final = 1e100
"""Above any score there is, and small enough that sums and squares can be computed."""


class NotMeasuredError(Exception):
    """Report in words why there is no score to decide on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """One metric of one model, as its record gives it. `stderr` is not yet checked: not every criterion needs it."""

    model: str
    what: str
    value: float
    stderr: Any
    samples: int | None
    dataset_sha256: str | None
    own_data: bool
    is_share: bool
    per_sample: Samples | None

    def score(self) -> Score:
        """Return the score for a test; raise NotMeasuredError for a standard error that is none."""
        if self.stderr is not None and (not is_number(self.stderr) or self.stderr < 0):
            raise NotMeasuredError(
                f"the standard error of {self.what} ({self.model}) is {self.stderr!r}, which is none"
            )
        return Score(
            value=self.value,
            stderr=None if self.stderr is None else float(self.stderr),
            samples=self.samples,
            is_share=self.is_share,
            per_sample=self.per_sample,
        )

    def as_baseline(self) -> dict[str, Any]:
        """Return what the decision says of the model that was compared with."""
        stderr = float(self.stderr) if is_number(self.stderr) else None
        return {"model": self.model, "value": self.value, "stderr": stderr, "samples": self.samples}

    def check_same_set(self, other: Measurement) -> None:
        """Raise NotMeasuredError unless both were measured on the same samples, and on all of them."""
        if self.dataset_sha256 != other.dataset_sha256:
            raise NotMeasuredError(f"{self.what} was not measured on the set on which {other.model} was measured")
        if self.own_data and not self.dataset_sha256:
            raise NotMeasuredError(f"it is not known on which set {self.what} was measured")
        if self.samples and other.samples and self.samples != other.samples:
            raise NotMeasuredError(
                f"{self.what} rests on {self.samples} samples and on {other.samples} of {other.model}: one is partial"
            )


@dataclass(frozen=True, slots=True)
class Measurements:
    """The evaluation records of one run: those of the candidate and of the models it is compared with."""

    records: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, records: Iterable[Any]) -> Measurements:
        """Take what are records at all."""
        return cls([record for record in records if isinstance(record, Mapping)])

    def read(self, task: str, subtask: str | None, metric: str, model: str) -> Measurement:
        """Return one metric; raise NotMeasuredError unless it was measured once, completely, and as a number."""
        what = measure(task, subtask, metric)
        record, entry = self._entry(task, subtask, model, what)
        metrics = _mapping(entry.get("metrics"))
        if metric not in metrics:
            there = ", ".join(sorted(map(str, metrics))) or "none"
            raise NotMeasuredError(f"{what} was not measured of {model}; metrics there: {there}")
        known = METRICS.get(task, {}).get(metric)
        return Measurement(
            model=model,
            what=what,
            value=_number(metrics[metric], what, model),
            stderr=_mapping(entry.get("stderr")).get(metric),
            samples=_samples(entry, what, model),
            dataset_sha256=record.get("dataset_sha256") or None,
            own_data=task in EVALUATION_TASKS and EVALUATION_TASKS[task].takes_data,
            is_share=known is not None and known.is_share,
            per_sample=_per_sample(entry.get("per_sample"), metric, what, model),
        )

    def samples(self, task: str, subtask: str | None, model: str) -> int:
        """Return how many samples an evaluation rests on; raise NotMeasuredError where that is not known."""
        what = measure(task, subtask, None)
        samples = _samples(self._entry(task, subtask, model, what)[1], what, model)
        if samples is None:
            raise NotMeasuredError(f"it is not known how many samples {what} rests on")
        return samples

    def check_read(self, task: str, subtask: str | None, model: str) -> None:
        """Raise NotMeasuredError unless an evaluation is there, complete, and all its scores are numbers."""
        what = measure(task, subtask, None)
        entry = self._entry(task, subtask, model, what)[1]
        metrics = _mapping(entry.get("metrics"))
        if not metrics:
            raise NotMeasuredError(f"{what} has no score of {model}")
        for name, value in metrics.items():
            _number(value, f"{what}.{name}", model)
        _samples(entry, what, model)

    def _entry(
        self, task: str, subtask: str | None, model: str, what: str
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Return the record, and in it the part that the scores stand in: an evaluation of its own goes first."""
        own = self._records(task, subtask, model)
        wholes = self._records(task, None, model)
        found = own or [each for each in wholes if subtask in _mapping(each.get("subtasks"))]
        if len(found) != 1:
            number = str(len(found)) if found else "no"
            raise NotMeasuredError(f"{what} cannot be decided: {number} evaluations of it are there for {model}")
        record = found[0]
        if not own:
            return record, _mapping(_mapping(record.get("subtasks")).get(subtask))
        _check_complete(record, task, subtask, what, model)
        return record, record

    def _records(self, task: str, subtask: str | None, model: str) -> list[Mapping[str, Any]]:
        wanted = (task, subtask or None, model)
        return [e for e in self.records if (e.get("task"), e.get("subtask") or None, e.get("model")) == wanted]


def _check_complete(record: Mapping[str, Any], task: str, subtask: str | None, what: str, model: str) -> None:
    """Refuse a whole task some of whose subtasks are missing; one that tells nothing of subtasks is taken as whole."""
    there = set(_mapping(record.get("subtasks")))
    known = EVALUATION_TASKS[task].subtasks if task in EVALUATION_TASKS else ()
    missing = [name for name in known if name not in there]
    if not subtask and missing and len(missing) < len(known):
        raise NotMeasuredError(f"{what} is partial for {model}: subtasks {', '.join(missing)} are missing")


def _number(value: Any, what: str, model: str) -> float:
    if not is_number(value):
        raise NotMeasuredError(f"{what} of {model} is {value!r}, which is not a number")
    return float(value)


def _samples(entry: Mapping[str, Any], what: str, model: str) -> int | None:
    samples: int | None = entry.get("samples")
    if samples is not None and not is_count(samples):
        raise NotMeasuredError(f"{what} of {model} rests on {samples!r} samples")
    return samples


def _per_sample(lines: Any, metric: str, what: str, model: str) -> Samples | None:
    """Return the scores by id of JSONL lines `{id, METRIC: score, …}`, or None where no line has the metric."""
    rows = [line for line in lines if isinstance(line, Mapping) and metric in line] if isinstance(lines, list) else []
    if not rows:
        return None
    scores = {str(row.get("id")): _number(row[metric], f"a sample of {what}", model) for row in rows}
    if len(scores) < len(lines) or any(abs(score) > _GREATEST_SAMPLE_SCORE for score in scores.values()):
        raise NotMeasuredError(f"the per-sample scores of {what} ({model}) are not one number for each id")
    return scores


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}
