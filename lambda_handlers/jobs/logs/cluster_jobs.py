"""The lines of a job on a HyperPod cluster: those of the cluster's log group that name the job.

Nodes of a cluster write to streams of their own, whatever they run, so that a job has no stream: its lines are found
by what they say (Amazon Nova SDK, `monitor`: FilterLogEvents with this prefix and this pattern).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lambda_handlers.jobs.logs.lines import LogLine
from lambda_handlers.protocol.errors import error_code

STREAM_PREFIX: Final = "SagemakerHyperPodTrainingJob"
_LATE_MILLISECONDS: Final = 5 * 60 * 1000
"""How far behind the newest line a node's line may arrive and still be found: agents send theirs in batches."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterJob:
    """Name a job on a HyperPod cluster, and the cluster by name and id, the last part of its ARN."""

    name: str
    cluster_name: str
    cluster_id: str

    @property
    def log_group(self) -> str:
        """Return the log group of the cluster."""
        return f"/aws/sagemaker/Clusters/{self.cluster_name}/{self.cluster_id}"


def cluster_id(sagemaker: Any, cluster_name: str) -> str | None:
    """Return the id of a HyperPod cluster, None if this account and Region have no cluster of that name."""
    try:
        described = sagemaker.describe_cluster(ClusterName=cluster_name)
    except Exception as error:
        # An unknown name answers ValidationException, not the ResourceNotFound of its model.
        if error_code(error) not in ("ValidationException", "ResourceNotFound"):
            raise
        return None
    return str(described["ClusterArn"]).rpartition("/")[2]


class ClusterReader:
    """Read the lines of one job, forward from where it stands, again and again; each line is given once.

    The service filters, orders and cuts into pages; it cannot be asked for the last lines, so that a limit reads all.
    """

    def __init__(self, logs: Any, job: ClusterJob, *, since: int | None = None) -> None:
        self._logs, self._job, self._since = logs, job, since
        # A name that only begins or ends with this one is of another job; a pod's goes on with a hyphen.
        self._named = re.compile(rf"(?<![a-z0-9]){re.escape(job.name)}(?![a-z0-9])")
        self._given: deque[tuple[int, str]] = deque()
        self._ids: set[str] = set()
        self._newest = 0
        self.found = False

    def forward(self) -> Iterator[LogLine]:
        """Yield what was not given yet, oldest first, to the present end of the log."""
        for event in self._events():
            if event["eventId"] in self._ids or not self._named.search(event["message"]):
                continue
            self._note(event["timestamp"], event["eventId"])
            yield LogLine(
                job=self._job.name,
                stream=event["logStreamName"],
                milliseconds=event["timestamp"],
                message=event["message"],
            )

    def backward(self, limit: int) -> Iterator[LogLine]:
        """Yield the last `limit` lines, newest first; `forward` then goes on behind the newest one."""
        yield from reversed(deque(self.forward(), maxlen=limit))

    def _events(self) -> Iterator[Mapping[str, Any]]:
        begin = max(self._since or 0, self._newest - _LATE_MILLISECONDS)
        pages = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=self._job.log_group,
            logStreamNamePrefix=STREAM_PREFIX,
            # Between percent signs is a regular expression: of a term, hyphens would be ends of words.
            filterPattern=f"%{self._job.name}%",
            **({"startTime": begin} if begin > 0 else {}),
        )
        try:
            for page in pages:
                yield from page["events"]
        except Exception as error:
            # The group is made with the first line of any job.
            if error_code(error) != "ResourceNotFoundException":
                raise

    def _note(self, moment: int, event_id: str) -> None:
        self.found = True
        self._newest = max(self._newest, moment)
        self._given.append((moment, event_id))
        self._ids.add(event_id)
        while self._given[0][0] < self._newest - _LATE_MILLISECONDS:
            self._ids.discard(self._given.popleft()[1])
