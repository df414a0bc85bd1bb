"""What is worth telling of a run: picked from the state that its execution ended with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def summarize(result: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return dataset, warnings, report of a dry run, rows, scores, gate, model, deployment and pointer, where there."""
    state = result or {}
    facts = {
        "dataset": _at(state, "plan", "dataset"),
        "warnings": _at(state, "plan", "warnings"),
        "report_uri": _at(state, "plan", "report_uri"),
        "rows": _at(state, "data", "rows"),
        "scores": _scores(state.get("evaluations")),
        "gate": state.get("gate"),
        "model_arn": _at(state, "model", "model_arn"),
        "deployment_arn": _at(state, "deployment", "deployment_arn"),
        "pointer": state.get("pointer"),
    }
    return {name: value for name, value in facts.items() if value}


def reason(status: str, result: Mapping[str, Any] | None) -> str | None:
    """Return why a run that did not fail did not deploy either."""
    place = {"REJECTED": ("gate", "sentence"), "SKIPPED": ("plan", "reason")}.get(status)
    return _at(result or {}, *place) if place else None


def _scores(evaluations: Any) -> list[dict[str, Any]]:
    if not isinstance(evaluations, list):
        return []
    return [
        {name: each[name] for name in ("task", "metrics", "stderr", "results_uri") if name in each}
        for each in evaluations
        if isinstance(each, Mapping)
    ]


def _at(state: Mapping[str, Any], *path: str) -> Any:
    value: Any = state
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
