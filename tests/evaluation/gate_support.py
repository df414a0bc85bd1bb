"""Records of evaluations and criteria, as the gate's tests write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lambda_handlers.evaluation.gate import Gate, read_criteria

FLOOR = {"task": "mmlu", "floor": 0.5}
NOT_WORSE = {"kind": "not_worse_than_production", "task": "mmlu", "margin": 0.02}
BETTER = {"kind": "better_than_base", "task": "mmlu", "margin": 0.02}
SAMPLES = {"kind": "minimum_samples", "task": "mmlu", "samples": 500}
GENERAL = {"kind": "general_ability", "task": "mmlu", "drop": 0.05}


def record(
    value: Any = 0.7, model: str = "candidate", *, task: str = "mmlu", metric: str = "accuracy", **more: Any
) -> dict[str, Any]:
    """Return the record of one evaluation; `stderr` is that of the one metric."""
    error = more.pop("stderr", None)
    return {
        "task": task,
        "subtask": None,
        "model": model,
        "metrics": {metric: value},
        "stderr": {} if error is None else {metric: error},
        "samples": None,
        "dataset_sha256": None,
        **more,
    }


def decide(
    criteria: Sequence[dict[str, Any]], evaluations: Sequence[Any], *, has_production: bool = True, **more: Any
) -> dict[str, Any]:
    """Return the decision of a gate as the state machine takes it."""
    gate = Gate(criteria=read_criteria(criteria), has_production=has_production, **more)
    return gate.decide(evaluations).as_dict()


def only(decision: dict[str, Any]) -> dict[str, Any]:
    """Return the one criterion of a decision, which has to agree with the verdict."""
    [criterion] = decision["criteria"]
    assert (decision["verdict"] == "PASSED") is criterion["passed"]
    return dict(criterion)
