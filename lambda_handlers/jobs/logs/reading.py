"""All streams of some jobs as one sequence of lines in the order of time, a page of each in memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from operator import attrgetter
from typing import Any

from lambda_handlers.jobs.logs.cluster_jobs import ClusterJob, ClusterReader
from lambda_handlers.jobs.logs.lines import LogLine, Notice, NoticeKind, Notify, ignore, milliseconds
from lambda_handlers.jobs.logs.streams import StreamReader, find_streams

LoggedJob = str | ClusterJob
"""A training job by its name, or a job on a HyperPod cluster."""
_BY_TIME = attrgetter("milliseconds")


def read_logs(
    jobs: LoggedJob | Sequence[LoggedJob],
    *,
    limit: int | None = None,
    from_head: bool = False,
    since: datetime | None = None,
    notify: Notify = ignore,
    logs: Any = None,
) -> Iterator[LogLine]:
    """Yield the log lines of one or several jobs in the order of time, whatever node wrote them.

    `limit` gives the last so many lines, with `from_head` the first; without it all come, in constant memory. `since`
    is an aware instant. `logs` is a boto3 client, by default that of the environment. A job that has no stream, or on a
    cluster no line, and a stream that is lost, are told to `notify`. Raises ValueError for a limit below 1 or an
    instant without time zone.
    """
    named = [jobs] if isinstance(jobs, LoggedJob) else list(jobs)
    reader = JobLogs(logs or default_client("logs"), since=since, notify=notify)
    return reader.read(named, limit=limit, from_head=from_head)


class JobLogs:
    """Keep the place in every stream of some jobs, so that each line is given once."""

    def __init__(self, logs: Any, *, since: datetime | None = None, notify: Notify = ignore) -> None:
        self._logs, self._notify = logs, notify
        self._since = None if since is None else milliseconds(since)
        self._streams: dict[str, StreamReader] = {}
        self._on_clusters: dict[ClusterJob, ClusterReader] = {}
        self._told: set[str] = set()

    def read(
        self, jobs: Iterable[LoggedJob], *, limit: int | None = None, from_head: bool = False
    ) -> Iterator[LogLine]:
        """Yield what was not given yet, oldest first: all of it, the last `limit` lines, or the first."""
        if limit is not None and limit < 1:
            raise ValueError(f"limit must be at least 1, got {limit}")
        if limit is not None and not from_head:
            return iter(self._latest(jobs, limit))
        return islice(self._forward(jobs), limit)

    def _forward(self, jobs: Iterable[LoggedJob]) -> Iterator[LogLine]:
        # Lines of one instant come by node, those of a node as they were written: merge keeps the order of its inputs.
        yield from heapq.merge(*(reader.forward() for reader in self._readers(jobs)), key=_BY_TIME)
        self._tell_of_none()

    def _latest(self, jobs: Iterable[LoggedJob], limit: int) -> list[LogLine]:
        newest_first = [reader.backward(limit) for reader in reversed(self._readers(jobs))]
        latest = list(islice(heapq.merge(*newest_first, key=_BY_TIME, reverse=True), limit))
        latest.reverse()
        self._tell_of_none()
        return latest

    def _readers(self, jobs: Iterable[LoggedJob]) -> list[StreamReader | ClusterReader]:
        return [reader for job in jobs for reader in self._readers_of(job)]

    def _readers_of(self, job: LoggedJob) -> Sequence[StreamReader | ClusterReader]:
        if isinstance(job, ClusterJob):
            if job not in self._on_clusters:
                self._on_clusters[job] = ClusterReader(self._logs, job, since=self._since)
            return [self._on_clusters[job]]
        # Asked for each time: another instance of the job may have begun to write.
        names = find_streams(self._logs, job)
        for name in names:
            if name not in self._streams:
                self._streams[name] = StreamReader(self._logs, job, name, since=self._since, notify=self._notify)
        known = [reader for name, reader in self._streams.items() if name.startswith(f"{job}/")]
        if not known:
            self._tell_once(job)
        return known

    def _tell_of_none(self) -> None:
        """Tell of jobs on clusters of which no line was found: that is known only when all was read."""
        for job, reader in self._on_clusters.items():
            if not reader.found:
                self._tell_once(job.name)

    def _tell_once(self, job: str) -> None:
        if job not in self._told:
            self._told.add(job)
            self._notify(Notice(kind=NoticeKind.NO_STREAM, job=job))


def default_client(service: str) -> Any:
    """Return the boto3 client of the environment."""
    from lambda_handlers.protocol.aws import client

    return client(service)
