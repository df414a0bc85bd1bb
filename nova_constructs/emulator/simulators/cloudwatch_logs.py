"""Amazon CloudWatch Logs by the emulator's clock, and with the filters that moto does not know.

moto refuses events that are more than two hours ahead of its own clock, takes a pattern between percent signs for one
that fits everything, knows no prefix of streams in FilterLogEvents, and gives its events stream by stream.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from moto.logs import models, responses
from moto.logs.exceptions import InvalidParameterException
from moto.logs.utils import EventMessageFilter

from nova_constructs.emulator.patches import Patches
from nova_constructs.emulator.simulators.state import SimulatorState, Undo


def install(state: SimulatorState) -> Undo:
    """Let log groups, streams and events be dated and judged by the simulated time, and filtered as on AWS."""

    def now() -> datetime:
        return state.clock.now().replace(tzinfo=None)

    patches = Patches()
    patches.replace(models, "utcnow", now)
    patches.replace(models, "EventMessageFilter", _Filter)
    patches.replace(responses.LogsResponse, "filter_log_events", _filter_log_events)
    return patches.undo


class _Filter:
    """Match messages by a filter pattern: a regular expression between percent signs, or what moto knows."""

    def __init__(self, pattern: str | None) -> None:
        is_expression = bool(pattern) and len(pattern or "") > 2 and str(pattern)[0] == str(pattern)[-1] == "%"
        self._expression = re.compile(str(pattern)[1:-1]) if is_expression else None
        self._known = EventMessageFilter(pattern or "")

    def matches(self, message: str) -> bool:
        if self._expression:
            return bool(self._expression.search(message))
        return self._known.matches(message)


def _filter_log_events(response: Any) -> str:
    asked = response._get_param
    names, prefix = asked("logStreamNames", []), asked("logStreamNamePrefix")
    if names and prefix:
        # CloudWatch Logs API reference, FilterLogEvents.
        raise InvalidParameterException(
            constraint="logStreamNames and logStreamNamePrefix exclude each other", parameter="logStreamNames", value=""
        )
    backend, group = response.logs_backend, asked("logGroupName")
    if prefix and group in backend.groups:
        names = [name for name in backend.groups[group].streams if name.startswith(prefix)]
        if not names:
            return json.dumps({"events": [], "searchedLogStreams": []})
    # Events of all streams are interleaved whatever is asked for, since June 2019 (the same page).
    events, token, searched = backend.filter_log_events(
        group,
        names,
        asked("startTime"),
        asked("endTime"),
        asked("limit"),
        asked("nextToken"),
        asked("filterPattern"),
        True,
    )
    more = {"nextToken": token} if token else {}
    return json.dumps({"events": events, "searchedLogStreams": searched, **more})
