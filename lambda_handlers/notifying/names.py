"""The names of what is told, by which subscriptions and rules filter."""

from __future__ import annotations

from typing import Final

EVENTS: Final = (
    "run_started",
    "run_queued",
    "rows_rejected",
    "dataset_rejected",
    "gate_passed",
    "gate_failed",
    "approval_requested",
    "approval_answered",
    "approval_expired",
    "deployed",
    "rolled_back",
    "run_succeeded",
    "run_rejected",
    "run_skipped",
    "run_failed",
    "alarm",
)
