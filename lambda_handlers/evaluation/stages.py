"""What the evaluations of a run are called, and where their sets are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_handlers.catalog import evaluation_task


def stage_name(task: Mapping[str, Any]) -> str:
    """Return the stage of an evaluation: evaluation-mmlu, or with its subtask evaluation-mmlu-abstract_algebra.

    That of a model which the candidate is compared with ends in its part: evaluation-mmlu-production.
    """
    parts = (task["task"], task.get("subtask"), task.get("baseline"))
    return "-".join(("evaluation", *(part for part in parts if part)))


def set_key(run_id: str, task: str) -> str:
    """Return the key, in the bucket of prepared data, of the set that a run has frozen for a task."""
    return f"runs/{run_id}/evaluation-sets/{task}/{evaluation_task(task).data_file}"
