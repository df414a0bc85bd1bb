"""What the evaluations of a run are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def stage_name(task: Mapping[str, Any]) -> str:
    """Return the stage of an evaluation: evaluation-mmlu, or with its subtask evaluation-mmlu-abstract_algebra.

    That of a model which the candidate is compared with ends in its part: evaluation-mmlu-production.
    """
    parts = (task["task"], task.get("subtask"), task.get("baseline"))
    return "-".join(("evaluation", *(part for part in parts if part)))
