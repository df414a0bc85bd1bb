"""What is worth telling of a run: picked from the state that its execution ended with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers.protocol.queueing import DISMISSED

_OF_A_SCORE: Final = ("task", "subtask", "model", "metrics", "stderr", "samples", "results_uri")


def summarize(result: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what is known of a run.

    Mode, whether another run kept it out, what training began from, the model evaluated, dataset, warnings, report of
    a dry run, rows (of further training stages by their names), checkpoint, scores, gate, results of batch inference,
    model, deployment and pointer.
    """
    state = result or {}
    start = _at(state, "plan", "start") or {}
    facts = {
        "mode": _at(state, "plan", "mode"),
        "start": start if any(start.values()) else None,
        "resume": _at(state, "plan", "resume"),
        "evaluated": None if _at(state, "plan", "origin") else _at(state, "plan", "model"),
        "origin": _origin(state),
        "dataset": _at(state, "plan", "dataset"),
        "warnings": _at(state, "plan", "warnings"),
        "turned_away": bool(_at(state, "plan", "turned_away") or _at(state, "turn", "decision") == DISMISSED),
        "report_uri": _at(state, "plan", "report_uri"),
        "rows": _at(state, "data", "rows"),
        "further_rows": _further_rows(state.get("further_data")),
        "checkpoint_uri": _at(state, "checkpoint", "uri"),
        "scores": _scores(state.get("evaluations")),
        "gate": state.get("gate"),
        "approval": _decided(state.get("approval")),
        "inference": _inference(state),
        "model_arn": _at(state, "model", "model_arn"),
        "deployment_arn": _at(state, "deployment", "deployment_arn"),
        "deployment": _deployment(state),
        "pointer": state.get("pointer"),
    }
    return {name: value for name, value in facts.items() if value}


def reason(status: str, result: Mapping[str, Any] | None) -> str | None:
    """Return why a run that did not fail did not deploy either."""
    answered = _decided((result or {}).get("approval"))
    if status == "REJECTED" and answered:  # the gate had let it pass
        return str(answered["sentence"])
    place = {"REJECTED": ("gate", "sentence"), "SKIPPED": ("plan", "reason")}.get(status)
    if status == "SKIPPED" and _at(result or {}, "turn", "reason"):  # it had waited for its turn
        place = ("turn", "reason")
    return _at(result or {}, *place) if place else None


def _decided(approval: Any) -> Mapping[str, Any] | None:
    """Return what people decided; an error caught while they were asked is no decision."""
    return approval if isinstance(approval, Mapping) and "decision" in approval else None


def _origin(state: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return which model a run deployed that made none, and what the gate of the run that made it decided."""
    if not _at(state, "plan", "origin"):
        return None
    return {
        "model_path": _at(state, "plan", "model", "model_path"),
        "run_id": _at(state, "plan", "origin", "run_id"),
        "verdict": _at(state, "plan", "origin", "verdict"),
    }


def _deployment(state: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return how the model is served: target, mode and name, and the model that an update took away."""
    served, planned = state.get("deployment"), _at(state, "plan", "deployment")
    if not isinstance(served, Mapping) or not planned or not served.get("deployment_arn"):
        return None
    facts = {"target": planned["target"], "mode": planned["mode"], "name": served.get("name")}
    previous = served.get("previous_model_arn")
    return facts | ({"previous_model_arn": previous} if previous else {})


def _further_rows(prepared: Any) -> dict[str, Any]:
    """Return the six counts of each further training stage by its name."""
    if not isinstance(prepared, Mapping):
        return {}
    found = {name: _at(data, "rows") for name, data in prepared.items() if isinstance(data, Mapping)}
    return {name: rows for name, rows in found.items() if rows}


def _scores(evaluations: Any) -> list[dict[str, Any]]:
    if not isinstance(evaluations, list):
        return []
    return [
        {name: each[name] for name in _OF_A_SCORE if each.get(name) is not None}
        for each in evaluations
        # A model of comparison that there is none of leaves an empty record.
        if isinstance(each, Mapping) and each
    ]


def _inference(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what batch inference left: how many rows were answered, and where the results are."""
    found = _at(state, "inference_results") or {}
    return {name: found[name] for name in ("rows", "results_uri", "results_sha256", "raw_uri") if name in found}


def _at(state: Mapping[str, Any], *path: str) -> Any:
    value: Any = state
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
