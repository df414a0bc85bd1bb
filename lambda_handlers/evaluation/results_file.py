"""The form of `results_*.json`: which score belongs to the task, which to a subtask, and on how many samples it rests.

The form is lighteval's: `results` has one entry per task, such as `custom|mmlu_zs_cot|0`, and where there are several
also `all` (AWS documentation); `config_tasks` gives, under the same keys, `effective_num_docs`, the samples used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lambda_handlers.catalog import evaluation_task
from lambda_handlers.evaluation.gate.criteria import is_number
from lambda_handlers.protocol.errors import EvaluationFailed

_ERROR: Final = "_stderr"
_WHOLE: Final = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Metrics with standard errors where there are any, and the number of samples, None where the file has none."""

    metrics: Mapping[str, float]
    stderr: Mapping[str, float]
    samples: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the form that records take."""
        return {"metrics": dict(self.metrics), "stderr": dict(self.stderr), "samples": self.samples}


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """What an evaluation measured of the whole task and of its subtasks, and where that is written."""

    whole: Measured
    results_uri: str
    subtasks: Mapping[str, Measured] = field(default_factory=dict)


def parse_scores(content: bytes, task: str, place: str, subtask: str | None = None) -> Scores:
    """Return the scores in a results file; raise EvaluationFailed if it is broken or a score is not a number."""
    document = _document(content, place)
    results = document.get("results")
    if not isinstance(results, dict):
        raise EvaluationFailed(f'The results {place} have no "results".')
    entries = {key: value for key, value in results.items() if isinstance(value, dict) and value}
    samples = _samples(document)
    measured = {key: _measured(value, samples.get(key), place) for key, value in entries.items() if _counts(key, task)}
    named = {_subtask(key, task): found for key, found in measured.items() if key != _WHOLE}
    parts = {name: found for name, found in named.items() if name}
    whole = measured.get(_WHOLE) or named.get(None) or (next(iter(parts.values())) if len(parts) == 1 else None)
    if whole is None or (len(parts) == 1 and subtask and subtask not in parts):
        keys = ", ".join(map(str, results)) or "none"
        raise EvaluationFailed(f'The results {place} have neither "all" nor one entry for {task}; entries: {keys}.')
    if whole.samples is None:
        whole = _counted(whole, [named[None]] if None in named else list(parts.values()))
    return Scores(whole=whole, results_uri=place, subtasks={} if subtask else parts)


def _document(content: bytes, place: str) -> Mapping[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise EvaluationFailed(f"The results {place} are not JSON: {error}.") from error
    return document if isinstance(document, dict) else {}


def _counted(whole: Measured, parts: Sequence[Measured]) -> Measured:
    counts = [part.samples for part in parts]
    known = [count for count in counts if count is not None]
    total = sum(known) if known and len(known) == len(counts) else None
    return Measured(metrics=whole.metrics, stderr=whole.stderr, samples=total)


def _counts(key: str, task: str) -> bool:
    if key == _WHOLE:
        return True
    name = _name(key)
    return name == task or name == f"{task}_{evaluation_task(task).strategy}" or _subtask(key, task) is not None


def _name(key: str) -> str:
    return key.split("|")[1] if key.count("|") >= 2 else key


def _subtask(key: str, task: str) -> str | None:
    """Return the subtask that a key names, however it is joined to the task and its strategy; None for the task."""
    known, name = evaluation_task(task), _name(key)
    for head in (f"{task}_{known.strategy}", task):
        for rest in (name, name.removesuffix(f"_{known.strategy}")):
            found = rest.removeprefix(head).strip(":_")
            if rest.startswith(head) and found in known.subtasks:
                return found
    return None


def _measured(entry: Mapping[str, Any], samples: int | None, place: str) -> Measured:
    metrics = {name: _finite(name, value, place) for name, value in entry.items() if not name.endswith(_ERROR)}
    if not metrics:
        raise EvaluationFailed(f"The results {place} hold an entry without a score.")
    # A single sample has no standard error, which the container writes as NaN: it is left out, it decides nothing.
    stderr = {
        name.removesuffix(_ERROR): float(value)
        for name, value in entry.items()
        if name.endswith(_ERROR) and is_number(value)
    }
    return Measured(metrics=metrics, stderr=stderr, samples=samples)


def _samples(document: Mapping[str, Any]) -> dict[str, int]:
    configured = document.get("config_tasks")
    found = {}
    for key, settings in configured.items() if isinstance(configured, dict) else ():
        count = settings.get("effective_num_docs") if isinstance(settings, dict) else None
        # lighteval writes -1 where it has not counted.
        if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
            found[key] = count
    return found


def _finite(name: str, value: Any, place: str) -> float:
    if not is_number(value):
        raise EvaluationFailed(f"The results {place} give {name} as {value!r}, which is not a number.")
    return float(value)
