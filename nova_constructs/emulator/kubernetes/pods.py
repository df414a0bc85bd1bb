"""A pod's status as the kubelet and the scheduler write it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nova_constructs.emulator.kubernetes.store import Object, stamp

PENDING, RUNNING, SUCCEEDED, FAILED = "Pending", "Running", "Succeeded", "Failed"


def phase(pod: Object) -> str:
    """Return the phase."""
    return str((pod.get("status") or {}).get("phase", PENDING))


def is_active(pod: Object) -> bool:
    """Tell whether a pod has neither ended nor is being deleted."""
    return phase(pod) in (PENDING, RUNNING) and "deletionTimestamp" not in pod["metadata"]


def restarts(pod: Object) -> int:
    """Return how often containers of a pod were started again."""
    return sum(each["restartCount"] for each in (pod.get("status") or {}).get("containerStatuses") or ())


def begin(pod: Object) -> None:
    """Give a new pod its status."""
    pod["status"] = {"phase": PENDING, "qosClass": "Burstable", "conditions": []}


def unschedulable(pod: Object, message: str, now: datetime) -> bool:
    """Say why a pod has no node; tell whether that is news."""
    return _condition(pod, "PodScheduled", "False", now, reason="Unschedulable", message=message)


def bind(pod: Object, node: str, now: datetime) -> None:
    """Put a pod on a node."""
    pod["spec"]["nodeName"] = node
    _condition(pod, "PodScheduled", "True", now)
    _condition(pod, "Initialized", "False" if pod["spec"].get("initContainers") else "True", now)
    pod["status"]["startTime"] = stamp(now)
    wait(pod, "PodInitializing" if pod["spec"].get("initContainers") else "ContainerCreating")


def wait(pod: Object, reason: str, message: str = "") -> None:
    """Let the containers of a pod wait, for its images or volumes."""
    state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
    _set_containers(pod, state, ready=False)


def run(pod: Object, now: datetime) -> None:
    """Let the containers run, after those that prepare the pod have ended."""
    status = pod["status"]
    ended = {"exitCode": 0, "reason": "Completed", "startedAt": stamp(now), "finishedAt": stamp(now)}
    if pod["spec"].get("initContainers"):
        status["initContainerStatuses"] = [
            _container(each, {"terminated": ended}, ready=True, restart_count=0)
            for each in pod["spec"]["initContainers"]
        ]
    status["phase"] = RUNNING
    _set_containers(pod, {"running": {"startedAt": stamp(now)}}, ready=True)
    for name in ("Initialized", "ContainersReady", "Ready"):
        _condition(pod, name, "True", now)


def end(pod: Object, exit_code: int, now: datetime) -> None:
    """Let the containers of a pod end for good."""
    _set_containers(pod, {"terminated": _terminated(pod, exit_code, now)}, ready=False)
    pod["status"]["phase"] = FAILED if exit_code else SUCCEEDED
    reason = "PodFailed" if exit_code else "PodCompleted"
    for name in ("ContainersReady", "Ready"):
        _condition(pod, name, "False", now, reason=reason)


def back_off(pod: Object, exit_code: int, seconds: float, now: datetime) -> None:
    """Let the containers of a pod end and be started again after some seconds."""
    terminated = _terminated(pod, exit_code, now)
    name = pod["metadata"]["name"]
    message = f"back-off {seconds:g}s restarting failed container={pod['spec']['containers'][0]['name']} pod={name}"
    for each in pod["status"]["containerStatuses"]:
        each |= {
            "lastState": {"terminated": terminated},
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": message}},
            "restartCount": each["restartCount"] + 1,
            "ready": False,
            "started": False,
        }
    for name in ("ContainersReady", "Ready"):
        _condition(pod, name, "False", now, reason="ContainersNotReady")


def _terminated(pod: Object, exit_code: int, now: datetime) -> dict[str, Any]:
    statuses: list[Any] = pod["status"].get("containerStatuses") or [{"state": {}}]
    started = statuses[0]["state"].get("running", {})
    return {
        "exitCode": exit_code,
        "reason": "Error" if exit_code else "Completed",
        "startedAt": started.get("startedAt", stamp(now)),
        "finishedAt": stamp(now),
    }


def _set_containers(pod: Object, state: Mapping[str, Any], *, ready: bool) -> None:
    counts = {each["name"]: each["restartCount"] for each in pod["status"].get("containerStatuses") or ()}
    pod["status"]["containerStatuses"] = [
        _container(each, state, ready=ready, restart_count=counts.get(each["name"], 0))
        for each in pod["spec"]["containers"]
    ]


def _container(
    container: Mapping[str, Any], state: Mapping[str, Any], *, ready: bool, restart_count: int
) -> dict[str, Any]:
    return {
        "name": container["name"],
        "state": dict(state),
        "lastState": {},
        "ready": ready,
        "started": "running" in state,
        "restartCount": restart_count,
        "image": container["image"],
        "imageID": "" if "waiting" in state else container["image"],
    }


def _condition(pod: Object, kind: str, value: str, now: datetime, *, reason: str = "", message: str = "") -> bool:
    new = {"type": kind, "status": value} | {k: v for k, v in (("reason", reason), ("message", message)) if v}
    kept = []
    for each in pod["status"]["conditions"]:
        if each["type"] != kind:
            kept.append(each)
        elif {name: each.get(name) for name in new} == new:
            return False
    pod["status"]["conditions"] = [*kept, {**new, "lastProbeTime": None, "lastTransitionTime": stamp(now)}]
    return True
