"""What went wrong, in words for people: Step Functions and Lambda wrap an error in names and JSON of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lambda_handlers.protocol.errors import JobTimedOut
from lambda_handlers.protocol.registry import JobRow

_TIMEOUT: Final = "States.Timeout"
_SERVICE_ERROR: Final = re.compile(r"An error occurred \((?P<code>[\w.]+)\) when calling the \w+ operation")
_DENIED: Final = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
_WORDS: Final[Mapping[str, str]] = {
    "Sandbox.Timedout": "A function ran out of time",
    "Runtime.ExitError": "A function ended unexpectedly, most often for lack of memory",
    "Runtime.OutOfMemory": "A function ran out of memory",
    "States.DataLimitExceeded": "A state's input or output was larger than Step Functions allows",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Name an error as a state machine catches it, with its cause in words."""

    error: str
    cause: str


def explain(error: Mapping[str, Any] | None, rows: Sequence[JobRow]) -> Failure | None:
    """Return the failure behind a caught `{"Error", "Cause"}`, or None if there is none.

    `rows` are the run's jobs as they were found: a state that timed out while it waited for one is JobTimedOut.
    """
    if not error:
        return None
    name, cause = str(error.get("Error", "")), _unwrap(str(error.get("Cause", "")))
    if name == _TIMEOUT:
        return _timed_out(rows, cause)
    denied = _SERVICE_ERROR.search(cause)
    if name == "ClientError" and denied and denied["code"] in _DENIED:
        name = "AccessDenied"
    if name in _WORDS:
        cause = f"{_WORDS[name]}: {cause}" if cause else f"{_WORDS[name]}."
    return Failure(error=name or "States.TaskFailed", cause=cause or "No cause was given.")


def _unwrap(cause: str) -> str:
    """Return the message of Lambda's error JSON, or the text as it is."""
    try:
        document = json.loads(cause)
    except ValueError:
        return cause
    if not isinstance(document, dict) or "errorMessage" not in document:
        return cause
    message = str(document["errorMessage"])
    kind = str(document.get("errorType", ""))
    # A fault of our own code has a message that means nothing without its type: KeyError('q') says only 'q'.
    return f"{kind}: {message}" if kind and kind.endswith(("Error", "Exception")) and " " not in message else message


def _unfinished(row: JobRow) -> bool:
    succeeded = row.outcome is not None and row.outcome.succeeded and row.delivered is True
    return (not row.rests and not succeeded) or row.delivered is False


def _timed_out(rows: Sequence[JobRow], cause: str) -> Failure:
    waiting = [row for row in rows if _unfinished(row)]
    if not waiting:
        return Failure(error=_TIMEOUT, cause=cause or "A step did not finish in its time.")
    jobs = ", ".join(f"{row.kind} {row.job_name} of stage {row.stage}" for row in waiting)
    return Failure(error=JobTimedOut.__name__, cause=f"{jobs} did not finish in time.")
