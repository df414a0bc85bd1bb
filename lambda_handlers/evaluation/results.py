"""Read the scores of an evaluation from the archive its job left.

The form of the results file is lighteval's: `results` has one entry per task, such as `custom|mmlu_zs_cot|0`, and
where there are several also `all` (AWS documentation; folder names differ between its pages).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from lambda_handlers.catalog import evaluation_task
from lambda_handlers.evaluation.stages import stage_name
from lambda_handlers.protocol.errors import EvaluationFailed
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.training import output_archive

_RESULTS_FILE: Final = re.compile(r"results_.*\.json")
_ERROR: Final = "_stderr"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """What an evaluation measured, with standard errors where there are any, and where that is written."""

    metrics: Mapping[str, float]
    stderr: Mapping[str, float]
    results_uri: str


def read_evaluation(event: Mapping[str, Any], *, s3: Any, ledger: Ledger) -> dict[str, Any]:
    """Return the scores of one evaluation task and record them; raise EvaluationFailed naming what is missing."""
    task, submitted = event["task"], event["submitted"]
    scores = read_scores(s3, submitted["output_uri"], task["task"])
    result = {
        "task": task["task"],
        "subtask": task.get("subtask"),
        "metrics": dict(scores.metrics),
        "stderr": dict(scores.stderr),
        "results_uri": scores.results_uri,
        "job": submitted["job"],
    }
    event_id = f"{stage_name(task)}-read"
    ledger.append(run_id=event["run"]["id"], event_id=event_id, type="evaluation_read", detail=result)
    return result


def read_scores(s3: Any, archive_uri: str, task: str) -> Scores:
    """Return the scores in a job's output archive; raise EvaluationFailed naming what is missing or wrong."""
    try:
        found = output_archive.read(s3, archive_uri, _is_results_file)
    except output_archive.ArchiveError as error:
        raise EvaluationFailed(f"The evaluation {task} left no usable output: {error}.") from error
    if not found:
        raise EvaluationFailed(f"The evaluation {task} left no results: {archive_uri} has no results_*.json.")
    # File names end in a time stamp: the last one is the newest.
    newest = max(found, key=lambda file: PurePosixPath(file.name).name)
    return parse_scores(newest.content, task, f"{archive_uri}#{newest.name}")


def parse_scores(content: bytes, task: str, place: str) -> Scores:
    """Return the scores in a results file; raise EvaluationFailed if it is broken or a score is not a number."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise EvaluationFailed(f"The results {place} are not JSON: {error}.") from error
    results = document.get("results") if isinstance(document, dict) else None
    entry = _entry(results, task, place)
    metrics = {name: _finite(name, value, place) for name, value in entry.items() if not name.endswith(_ERROR)}
    if not metrics:
        raise EvaluationFailed(f"The results {place} hold no score for {task}.")
    # A single sample has no standard error, which the container writes as NaN: it is left out, it decides nothing.
    stderr = {
        name.removesuffix(_ERROR): float(value)
        for name, value in entry.items()
        if name.endswith(_ERROR) and _is_number(value) and math.isfinite(value)
    }
    return Scores(metrics=metrics, stderr=stderr, results_uri=place)


def _is_results_file(name: str) -> bool:
    return _RESULTS_FILE.fullmatch(PurePosixPath(name).name) is not None


def _entry(results: Any, task: str, place: str) -> Mapping[str, Any]:
    if not isinstance(results, dict):
        raise EvaluationFailed(f'The results {place} have no "results".')
    entries = {key: value for key, value in results.items() if isinstance(value, dict) and value}
    if "all" in entries:
        found: Mapping[str, Any] = entries["all"]
        return found
    fitting = [value for key, value in entries.items() if _is_of_task(key, task)]
    if len(fitting) != 1:
        keys = ", ".join(map(str, results)) or "none"
        raise EvaluationFailed(f'The results {place} have neither "all" nor one entry for {task}; entries: {keys}.')
    return fitting[0]


def _is_of_task(key: str, task: str) -> bool:
    name = key.split("|")[1] if key.count("|") >= 2 else key
    return name == task or name == f"{task}_{evaluation_task(task).strategy}" or name.startswith(f"{task}:")


def _finite(name: str, value: Any, place: str) -> float:
    if not _is_number(value) or not math.isfinite(value):
        raise EvaluationFailed(f"The results {place} give {name} as {value!r}, which is not a number.")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
