"""The log streams of a training job in CloudWatch Logs, each read page by page in either direction."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lambda_handlers.jobs.logs.lines import LogLine, Notice, NoticeKind, Notify, ignore
from lambda_handlers.protocol.errors import error_code

LOG_GROUP: Final = "/aws/sagemaker/TrainingJobs"
"""Where SageMaker writes the logs of every training job (Developer Guide, "Amazon SageMaker AI logs")."""
PAGE_LIMIT: Final = 10_000
"""Most events that one page may be asked for (CloudWatch Logs, GetLogEvents)."""
_DIGITS = re.compile(r"(\d+)")


def find_streams(logs: Any, job: str) -> list[str]:
    """Return the names of a job's streams, by node; none while the job or the log group has not begun to write.

    The slash ends the prefix, so that a job whose name only begins with this one's is not taken in.
    """
    pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{job}/")
    try:
        names = [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
    except Exception as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        return []
    return sorted(names, key=_by_number)


class StreamReader:
    """Read one stream: forward from where it stands, again and again, or backward from its end.

    Holds one page at a time: at most 1 MB of the service. `since` are milliseconds since the epoch.
    """

    def __init__(self, logs: Any, job: str, name: str, *, since: int | None = None, notify: Notify = ignore) -> None:
        self._logs, self._job, self._name, self._notify = logs, job, name, notify
        self._since = since
        self._token: str | None = None
        self._lost = False
        # How many events were given at the last instant of all: what to leave out if reading must begin again there.
        self._last, self._at_last, self._skip = 0, 0, 0

    def forward(self) -> Iterator[LogLine]:
        """Yield what follows the lines already given, oldest first, to the present end of the stream."""
        while (page := self._next_page()) is not None:
            for event in page["events"]:
                if self._is_new(event):
                    yield self._line(event)
            # A page may be empty with more to come; the end is where the service returns the token it was given.
            ended, self._token = page["nextForwardToken"] == self._token, page["nextForwardToken"]
            if ended:
                return

    def backward(self, limit: int) -> Iterator[LogLine]:
        """Yield lines newest first, in pages of at most `limit`; `forward` then goes on behind the newest one."""
        token: str | None = None
        while (page := self._page(token, startFromHead=False, limit=min(limit, PAGE_LIMIT))) is not None:
            if token is None:
                self._token = page["nextForwardToken"]
                self._note(page["events"])
            yield from map(self._line, reversed(page["events"]))
            ended, token = page["nextBackwardToken"] == token, page["nextBackwardToken"]
            if ended:
                return

    def _next_page(self) -> Mapping[str, Any] | None:
        try:
            return self._page(self._token, startFromHead=True)
        except Exception as error:
            # A token lives for 24 hours, and most nodes of a long training say nothing for longer than that.
            if self._token is None or error_code(error) != "InvalidParameterException":
                raise
        self._token, self._skip = None, self._at_last
        self._since = self._last or self._since
        return self._page(None, startFromHead=True)

    def _page(self, token: str | None, **how: Any) -> Mapping[str, Any] | None:
        if self._lost:
            return None
        where = {} if token is None else {"nextToken": token}
        start = {} if self._since is None else {"startTime": self._since}
        try:
            page: Mapping[str, Any] = self._logs.get_log_events(
                logGroupName=LOG_GROUP, logStreamName=self._name, **start, **where, **how
            )
        except Exception as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
            self._lost = True
            self._notify(Notice(kind=NoticeKind.LOST_STREAM, job=self._job, stream=self._name))
            return None
        return page

    def _is_new(self, event: Mapping[str, Any]) -> bool:
        if self._skip and event["timestamp"] == self._last:
            self._skip -= 1
            return False
        self._skip = 0
        self._note([event])
        return True

    def _note(self, events: Sequence[Mapping[str, Any]]) -> None:
        for event in events:
            self._at_last = self._at_last + 1 if event["timestamp"] == self._last else 1
            self._last = event["timestamp"]

    def _line(self, event: Mapping[str, Any]) -> LogLine:
        return LogLine(job=self._job, stream=self._name, milliseconds=event["timestamp"], message=event["message"])


def _by_number(name: str) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in _DIGITS.split(name)]
