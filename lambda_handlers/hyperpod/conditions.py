"""Where a PyTorchJob stands: its conditions, read by type and status together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from lambda_handlers.jobs.driver import JobStatus

_ENDS: Final = {"Succeeded": JobStatus.COMPLETED, "Failed": JobStatus.FAILED}
_DEADLINE: Final = ("DeadlineExceeded", "active longer than specified deadline", "activeDeadlineSeconds")


def status_of(job: Mapping[str, Any]) -> JobStatus:
    """Return the status of a job: it has ended only where `Succeeded` or `Failed` is "True".

    A condition stays in the list once it was set, with the status "False" when it does not hold any more.
    `Restarting` and `Suspended` are of a job that goes on: its operator starts pods again, a queue holds it.
    """
    for name, status in _ENDS.items():
        if condition(job, name):
            return status
    return JobStatus.RUNNING


def condition(job: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """Return a condition that holds, or None."""
    found = (job.get("status") or {}).get("conditions") or ()
    return next((each for each in found if each.get("type") == name and str(each.get("status")) == "True"), None)


def without_pods_since(job: Mapping[str, Any]) -> datetime | None:
    """Return since when a job that has no pods waits for them; None while it runs: then they are made again.

    That is the newest change of its conditions, so that a job which ran for days and starts again waits since then.
    """
    if condition(job, "Running"):
        return None
    found = (job.get("status") or {}).get("conditions") or ()
    changes = [str(each["lastTransitionTime"]) for each in found if each.get("lastTransitionTime")]
    return max(map(instant, (str(job["metadata"]["creationTimestamp"]), *changes)))


def why(job: Mapping[str, Any]) -> str:
    """Return what the operator says of a failed or suspended job, else an empty text."""
    found = condition(job, "Failed") or condition(job, "Suspended")
    if not found:
        return ""
    return str(found.get("message") or found.get("reason") or "").strip()


def ran_out_of_time(job: Mapping[str, Any]) -> bool:
    """Say whether a failed job was ended by its own `activeDeadlineSeconds`."""
    failed = condition(job, "Failed") or {}
    told = f"{failed.get('reason', '')} {failed.get('message', '')}"
    return any(words in told for words in _DEADLINE)


def seconds_of_work(job: Mapping[str, Any]) -> int:
    """Return for how long a job that has ended ran: from its first pods to its end; 0 where its status does not say."""
    status = job.get("status") or {}
    started, ended = status.get("startTime"), status.get("completionTime")
    return max(0, int((instant(ended) - instant(started)).total_seconds())) if started and ended else 0


def instant(text: str) -> datetime:
    """Return the instant that Kubernetes writes as `2026-01-31T12:00:00Z`."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
