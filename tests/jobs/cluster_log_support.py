"""The log group of a HyperPod cluster as CloudWatch Logs answers for it: filtered, in the order of time, in pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.jobs.log_support import refused

GROUP = "/aws/sagemaker/Clusters/hp/a1b2c3d4e5f6"
NODE = "SagemakerHyperPodTrainingJob/workers/i-{}"


class FakeClusterLogs:
    """Lines of nodes, each `(milliseconds, node, message)`, in pages of two; every other page is empty."""

    def __init__(self, *lines: tuple[int, int, str], missing: bool = False) -> None:
        self.lines = [*lines]
        self.missing = missing
        self.asked: list[dict[str, Any]] = []

    def get_paginator(self, operation: str) -> FakeClusterLogs:
        assert operation == "filter_log_events"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        self.asked.append(request)
        assert set(request) <= {"logGroupName", "logStreamNamePrefix", "filterPattern", "startTime"}
        if self.missing or request["logGroupName"] != GROUP:
            raise refused("ResourceNotFoundException", "FilterLogEvents")
        found = sorted(
            (moment, number, node, message)
            for number, (moment, node, message) in enumerate(self.lines)
            if moment >= request.get("startTime", 0)
            and NODE.format(node).startswith(request["logStreamNamePrefix"])
            and re.search(request["filterPattern"].strip("%"), message)
        )
        for at in range(0, len(found), 2):
            yield {"events": []}
            yield {"events": [self._event(*each) for each in found[at : at + 2]]}

    def _event(self, moment: int, number: int, node: int, message: str) -> dict[str, Any]:
        return {
            "timestamp": moment,
            "eventId": str(number),
            "logStreamName": NODE.format(node),
            "message": message,
        }
