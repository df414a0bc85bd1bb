"""Why pods of a job do not run: no node for them, an image that cannot be pulled, a quota."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lambda_handlers.hyperpod.conditions import instant

_IMAGE: Final = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_SENTENCES: Final = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """Describe a pod that waits: since when, for want of a node (`unscheduled`) or for another reason."""

    pod: str
    since: datetime
    reason: str
    message: str
    unscheduled: bool

    def __str__(self) -> str:
        """Return the reason in words, `Unschedulable: 0/16 nodes are available`."""
        return f"{self.reason}: {self.message}" if self.message else self.reason


def waiting(pods: Sequence[Mapping[str, Any]]) -> list[Waiting]:
    """Return the pods that wait and say for what."""
    return [found for pod in pods if (found := _waiting(pod))]


def in_words(found: Sequence[Waiting]) -> str:
    """Return why pods wait, each reason once with the number of pods that it keeps; empty for none."""
    if not found:
        return ""
    counted = Counter(str(each) for each in found).most_common(_SENTENCES)
    return "; ".join(f"{count} {'pod waits' if count == 1 else 'pods wait'}, {why}" for why, count in counted)


def quota_in_words(events: Sequence[Mapping[str, Any]]) -> str:
    """Return what the newest warning about a job says that no pod could be made of, empty where there is none."""
    told = [each for each in events if each.get("type") == "Warning" and each.get("message")]
    newest = max(told, key=lambda each: str(each.get("lastTimestamp") or ""), default=None)
    return f"{newest.get('reason', 'Warning')}: {newest['message']}" if newest else ""


def _waiting(pod: Mapping[str, Any]) -> Waiting | None:
    status = pod.get("status") or {}
    if status.get("phase") not in (None, "Pending"):
        return None
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            reason = str(condition.get("reason") or "Unschedulable")
            return _of(pod, reason, str(condition.get("message") or ""), unscheduled=True)
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        held = (container.get("state") or {}).get("waiting") or {}
        if held.get("reason") and held["reason"] not in ("PodInitializing", "ContainerCreating"):
            image = f" {container.get('image', '')}".rstrip() if held["reason"] in _IMAGE else ""
            return _of(pod, f"{held['reason']}{image}", str(held.get("message") or ""), unscheduled=False)
    return None


def _of(pod: Mapping[str, Any], reason: str, message: str, *, unscheduled: bool) -> Waiting:
    metadata = pod["metadata"]
    return Waiting(
        pod=str(metadata["name"]),
        since=instant(str(metadata["creationTimestamp"])),
        reason=reason,
        message=" ".join(message.split()).rstrip("."),
        unscheduled=unscheduled,
    )
