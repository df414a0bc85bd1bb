"""The gate: the rule between a candidate and production.

criteria.py       what a candidate may have to meet, one frozen value for each kind
reading.py        criteria out of settings
measurements.py   the scores that criteria are about, out of the run's evaluation records
statistics.py     tests of the difference between two scores
decision.py       the decision: each criterion with value, threshold, test and reason
sentence.py       the decision in words
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_handlers.evaluation.gate.criteria import (
    BASE,
    CANDIDATE,
    PRODUCTION,
    BetterThanBase,
    Criterion,
    Floor,
    GeneralAbilityFloor,
    MinimumSamples,
    NotWorseThanProduction,
)
from lambda_handlers.evaluation.gate.decision import Gate, GateDecision
from lambda_handlers.evaluation.gate.reading import needed_baselines, read_criteria
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.protocol.pointer import Pointer

__all__ = [
    "BASE",
    "CANDIDATE",
    "PRODUCTION",
    "BetterThanBase",
    "Criterion",
    "Floor",
    "Gate",
    "GateDecision",
    "GeneralAbilityFloor",
    "MinimumSamples",
    "NotWorseThanProduction",
    "decide_run",
    "needed_baselines",
    "read_criteria",
]


def decide_run(event: Mapping[str, Any], *, ledger: Ledger, pointer: Pointer) -> dict[str, Any]:
    """Decide on the candidate of a run and record the decision."""
    settings = event["gate"]
    gate = Gate(
        criteria=read_criteria(settings["criteria"]),
        has_production=pointer.read() is not None,
        evaluated=[(each["task"], each.get("subtask")) for each in event["evaluated"]],
        is_open=settings.get("open") is True,
    )
    decision = gate.decide(event["evaluations"]).as_dict()
    ledger.append(run_id=event["run"]["id"], event_id="gate-decided", type="gate_decided", detail=decision)
    return decision
