"""What the evaluations of a run are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def stage_name(task: Mapping[str, Any]) -> str:
    """Return the stage of an evaluation: evaluation-mmlu, or with its subtask evaluation-mmlu-abstract_algebra."""
    return "-".join(("evaluation", *(part for part in (task["task"], task.get("subtask")) if part)))
