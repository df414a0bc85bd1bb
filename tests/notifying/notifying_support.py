"""Events of a ledger as the functions of a run write them, one for each decision that is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lambda_handlers.notifying
from lambda_handlers.notifying.decisions import notice_of
from lambda_handlers.notifying.notice import Notice, Place
from lambda_handlers.protocol.ledger import LedgerEvent, append
from tests.protocol.protocol_memory import run_ledger

PLACE = Place(customization="Nova-Demo/Demo", stack="Nova-Demo", name="Demo")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SCHEMA: dict[str, Any] = json.loads(
    (Path(lambda_handlers.notifying.__file__).parent / "announcement.v1.schema.json").read_text()
)
ROWS = {"in": 40, "out": 38, "rejected": 2, "duplicate": 0, "leaked": 0, "over_limit": 0}
PREPARED = {
    "train": {"uri": "s3://prepared/runs/run-1/train.jsonl"},
    "rows": ROWS,
    "manifest_uri": "s3://prepared/runs/run-1/manifest.json",
    "quarantine_uri": "s3://quarantine/runs/run-1/quarantine.jsonl",
}
ASKED = {
    "requester": "unknown",
    "requested_by": "alice",
    "reason": "new catalogue",
    "trigger": {"name": "Data", "kind": "dataset", "id": "s3://…", "at": "2026-01-02T03:00:00Z", "count": 3},
}
CRITERION = {
    "name": "mmlu ≥ 0.2",
    "kind": "floor",
    "value": 0.71,
    "threshold": 0.2,
    "passed": True,
    "test": None,
    "baseline": None,
    "reason": "mmlu accuracy is 0.71, at least 0.2",
}
GATE = {"verdict": "PASSED", "open": False, "criteria": [CRITERION], "sentence": "Passed: mmlu accuracy is 0.71."}
FAILED = {**CRITERION, "value": None, "passed": False, "reason": "mmlu accuracy is missing"}
CLOSED = {"run_id": "run-1", "error": None, "cause": None, "mode": "full", "rows": ROWS, "jobs": []}
DEPLOYMENT = "arn:aws:bedrock:us-east-1:111122223333:custom-model-deployment/abc"
DETAILS: dict[str, tuple[str, dict[str, Any]]] = {
    "run_started": (
        "run_started",
        {
            "run": {"id": "run-1"},
            "plan": {
                "mode": "full",
                "dataset": {"uri": "s3://incoming/datasets/a.jsonl", "objects": []},
                "cost": {"bound_usd": 1234.5, "jobs": []},
            },
            "config": {},
            "asked": ASKED,
        },
    ),
    "run_queued": (
        "run_queued",
        {
            "mode": "full",
            "dataset": None,
            "reason": "Run run-0 works.",
            "start": None,
            "model": None,
            "asked": {**ASKED, "trigger": None, "requested_by": None, "reason": None},
        },
    ),
    "rows_rejected": ("data_prepared", {**PREPARED, "stage": "more"}),
    "dataset_rejected": ("dataset_rejected", {**PREPARED, "reason": "5 % of the rows are rejected, 1 % are allowed."}),
    "gate_passed": ("gate_decided", GATE),
    "gate_failed": ("gate_decided", {**GATE, "verdict": "FAILED", "criteria": [FAILED], "sentence": "Failed."}),
    "approval_requested": (
        "approval_requested",
        {
            "scores": [{"task": "mmlu", "subtask": None, "model": "candidate", "metrics": {"accuracy": 0.71}}],
            "gate": {"verdict": "PASSED", "sentence": "Every criterion holds."},
            "checkpoint_uri": "s3://customer-escrow-111122223333-smtj-1/checkpoint",
            "deadline": int(NOW.timestamp()) + 3600,
            "requester": "arn:aws:iam::111122223333:user/alice",
            "approvers": [],
            "self_approval": False,
        },
    ),
    "approval_answered": (
        "approval_answered",
        {
            "decision": "APPROVED",
            "by": "arn:aws:iam::111122223333:user/bob",
            "reason": "scores hold",
            "at": "2026-01-02T03:10:00Z",
            "sentence": "Approved by bob: scores hold",
            "requester": None,
        },
    ),
    "approval_expired": (
        "approval_expired",
        {"deadline": int(NOW.timestamp()), "reason": "Nobody answered by 2026-01-02 03:04 UTC."},
    ),
    "deployed": ("pointer_moved", {"name": "/nova/pointer", "before": None, "after": DEPLOYMENT}),
    "rolled_back": (
        "pointer_rolled_back",
        {
            "id": "rollback-1",
            "withdrawn_arn": f"{DEPLOYMENT}2",
            "withdrawn_model_arn": "arn:model",
            "withdrawn_run_id": "run-2",
            "reason": "it rambles",
            "by": {"claim": "alice"},
            "at": "2026-01-02T03:04:05Z",
            "name": "/nova/pointer",
            "after": {"arn": DEPLOYMENT, "model_arn": "arn:model1", "run_id": "run-1"},
        },
    ),
    "run_succeeded": ("run_closed", {**CLOSED, "status": "SUCCEEDED", "deployment_arn": DEPLOYMENT}),
    "run_rejected": ("run_closed", {**CLOSED, "status": "REJECTED", "cause": "Rejected by bob: too long"}),
    "run_skipped": ("run_closed", {**CLOSED, "status": "SKIPPED", "rows": None, "cause": "Run run-0 works."}),
    "run_failed": ("run_closed", {**CLOSED, "status": "FAILED", "error": "JobFailed", "cause": "Loss is NaN."}),
}
"""What gives each message: the type and the detail of the event."""


def recorded(type: str, detail: Mapping[str, Any], run_id: str = "run-1") -> LedgerEvent:
    """Return the event as the ledger takes it."""
    return append(run_ledger(), _NoMirror(), run_id, "an-event", type, detail, NOW)


def noticed(name: str, **changes: Any) -> Notice:
    """Return the message of a decision."""
    type, detail = DETAILS[name]
    found = notice_of(recorded(type, {**detail, **changes}), PLACE)
    assert found
    return found


class _NoMirror:
    def put(self, key: str, body: bytes) -> None:
        """Keep no copy."""
