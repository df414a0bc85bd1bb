"""The run that a new one resumes: whether there is anything to resume, and what that run resumed itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers.planning.context import RunContext
from lambda_handlers.planning.execution_input import ExecutionInput
from lambda_handlers.protocol.errors import InvalidRequest
from lambda_handlers.protocol.ledger import RUN_CLOSED, LedgerEvent, read, verify
from lambda_handlers.protocol.resume import MOST_RUNS

_NOTHING_TO_RESUME: Final[Mapping[str, str]] = {
    "SUCCEEDED": "it succeeded, so that there is nothing to resume; start a run with force to do it again",
    "SKIPPED": "it was skipped, so that there is nothing to resume; start it anew",
    "DRY_RUN": "it was a dry run, so that there is nothing to resume; start it anew",
}


def find_resumed(context: RunContext, asked: ExecutionInput) -> tuple[str, ...]:
    """Return the run that is resumed, then those that it resumed, the newest first; empty for a run of its own.

    Notes why a run cannot be resumed.
    """
    if not asked.resume:
        return ()
    with context.findings.checking():
        found = _resumed(context, asked.resume)
        for run_id in found:
            # What is taken over is taken on the word of its record.
            if wrong := verify(read(context.history.events, run_id)):
                raise InvalidRequest(f"resume: the record of run {run_id} is not as it was written: {'; '.join(wrong)}")
        return found
    return ()


def _resumed(context: RunContext, run_id: str) -> tuple[str, ...]:
    recorded = read(context.history.events, run_id)
    if not recorded:
        raise InvalidRequest(
            f"resume: there is no run {run_id} of this customization; `nova run list` shows those there are."
        )
    ending = next((event.detail for event in recorded if event.type == RUN_CLOSED), None)
    if ending is None:
        raise InvalidRequest(
            f"resume: run {run_id} is still going, or not closed yet; wait for its end, or stop it with "
            f"`nova run stop {run_id}`."
        )
    if why := _NOTHING_TO_RESUME.get(str(ending["status"])):
        raise InvalidRequest(f"resume: run {run_id} cannot be resumed: {why}.")
    started = _started(recorded)
    if started is None:
        raise InvalidRequest(
            f"resume: run {run_id} ended before it had done anything: start it anew, or resume the run that it resumed."
        )
    if started["config"]["customization"] != context.config["customization"]:
        raise InvalidRequest(f"resume: run {run_id} is of {started['config']['customization']}, another customization.")
    return (run_id, *started["run"].get("resumes", ()))[:MOST_RUNS]


def _started(recorded: list[LedgerEvent]) -> Mapping[str, Any] | None:
    return next((event.detail for event in recorded if event.type == "run_started"), None)
