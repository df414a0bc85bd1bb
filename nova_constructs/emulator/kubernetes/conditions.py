"""Conditions of a PyTorchJob, kept as the training operator keeps them (pkg/util/status.go of release 1.8)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from nova_constructs.emulator.kubernetes.store import stamp

Status = dict[str, Any]


def holds(status: Status, kind: str) -> bool:
    """Tell whether a condition is there and true."""
    return any(each["type"] == kind and each["status"] == "True" for each in status.get("conditions") or ())


def finished(status: Status) -> bool:
    """Tell whether the job has succeeded or failed."""
    return holds(status, "Succeeded") or holds(status, "Failed")


def put(status: Status, kind: str, message: str, now: datetime, *, value: str = "True", reason: str = "") -> bool:
    """Set a condition and tell whether that changed anything; nothing follows upon Failed.

    Running and Restarting replace each other; when the job ends, Running stays with the status False.
    """
    if holds(status, "Failed"):
        return False
    reason = reason or f"PyTorchJob{kind}"
    before = next((each for each in status.get("conditions") or () if each["type"] == kind), None)
    if before is not None and (before["status"], before["reason"]) == (value, reason):
        return False
    moved = stamp(now) if before is None or before["status"] != value else before["lastTransitionTime"]
    new = {
        "type": kind,
        "status": value,
        "reason": reason,
        "message": message,
        "lastUpdateTime": stamp(now),
        "lastTransitionTime": moved,
    }
    replaced = {kind, {"Running": "Restarting", "Restarting": "Running"}.get(kind, kind)}
    kept = [each for each in status.get("conditions") or () if each["type"] not in replaced]
    if kind in ("Succeeded", "Failed"):
        kept = [{**each, "status": "False"} if each["type"] == "Running" else each for each in kept]
    status["conditions"] = [*kept, new]
    return True
