"""A log group as CloudWatch Logs keeps it, with pages, tokens and errors, and a record of what was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

Event = tuple[int, str]
"""Milliseconds and message."""


def refused(code: str, operation: str = "GetLogEvents") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)


class FakeLogs:
    """Streams with events in the order of time; `page_size` events to a page, and every second page empty if asked."""

    def __init__(
        self,
        streams: Mapping[str, Sequence[Event]] | None = None,
        *,
        page_size: int = 2,
        empty_pages: bool = False,
    ) -> None:
        self.streams = {name: list(events) for name, events in (streams or {}).items()}
        self.page_size, self.empty_pages = page_size, empty_pages
        self.asked: list[dict[str, Any]] = []
        self.given = 0
        self.lost: set[str] = set()
        self.expired: set[str] = set()
        self.before: Callable[[], object] = lambda: None

    def get_paginator(self, operation: str) -> FakeLogs:
        assert operation == "describe_log_streams"
        return self

    def paginate(self, *, logGroupName: str, logStreamNamePrefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - boto3's names
        assert logGroupName == "/aws/sagemaker/TrainingJobs"
        if not self.streams:
            raise refused("ResourceNotFoundException", "DescribeLogStreams")
        names = sorted(name for name in self.streams if name.startswith(logStreamNamePrefix))
        yield from ({"logStreams": [{"logStreamName": name}]} for name in names)

    def get_log_events(self, **request: Any) -> dict[str, Any]:
        self.before()
        self.asked.append(request)
        name, token = request["logStreamName"], request.get("nextToken")
        if name in self.lost:
            raise refused("ResourceNotFoundException")
        if token in self.expired:
            raise refused("InvalidParameterException")
        events = [each for each in self.streams[name] if each[0] >= request.get("startTime", 0)]
        start, end = self._range(len(events), token, request)
        page = events[start:end]
        self.given += len(page)
        return {
            "events": [{"timestamp": moment, "message": message} for moment, message in page],
            "nextForwardToken": self._token("f", end, token),
            "nextBackwardToken": self._token("b", start, token),
        }

    def _range(self, count: int, token: str | None, request: Mapping[str, Any]) -> tuple[int, int]:
        size = min(self.page_size, request.get("limit", self.page_size))
        if token is None:
            return (0, min(size, count)) if request["startFromHead"] else (max(0, count - size), count)
        direction, place, parity = token.split("/")
        # The reference wants startFromHead with a forward token.
        assert direction == "b" or request["startFromHead"]
        at = int(place)
        if self.empty_pages and parity == "0":
            return at, at
        return (at, min(at + size, count)) if direction == "f" else (max(0, at - size), at)

    def _token(self, direction: str, place: int, given: str | None) -> str:
        before = given.split("/") if given else ["", "", "1"]
        if not self.empty_pages:
            return f"{direction}/{place}/1"
        # An empty page in the middle has a new token; only the end repeats the one it was given.
        at_end = before[0] == direction and before[1] == str(place) and before[2] == "1"
        return f"{direction}/{place}/{'1' if at_end else str(1 - int(before[2]))}"
