"""What `nova approve`, `nova reject` and `nova run start` send: read strictly, for it comes from outside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lambda_handlers.approval.approvals import AnswerRefused
from lambda_handlers.approval.binding import APPROVE, REJECT, START

REASON_LIMIT: Final = 1000
_KEYS: Final = ("run", "decision", "reason", "identity")
_RUN: Final = re.compile(r"[!-~]{1,80}")
"""An execution's name (Step Functions API Reference, StartExecution), as far as it can stand in a header."""
INVALID: Final = "InvalidRequest"


def read_answer(event: object) -> tuple[str, str, str, object]:
    """Return run, decision, reason and the presigned request, which is not looked at here; raise AnswerRefused."""
    if not isinstance(event, Mapping):
        raise AnswerRefused(INVALID, "An answer is a JSON object.")
    problems = list(_problems(event))
    if problems:
        raise AnswerRefused(INVALID, f"The answer is not valid: {'; '.join(problems)}.")
    return event["run"], event["decision"], event["reason"], event["identity"]


def reason_problem(reason: object) -> str | None:
    """Return what is wrong with a reason, or None."""
    if not isinstance(reason, str) or not reason.strip():
        return "reason is empty: say in a few words why"
    if len(reason) > REASON_LIMIT:
        return f"reason has {len(reason)} characters: {REASON_LIMIT} are allowed"
    if not reason.isprintable():
        return "reason has control characters: use one line of plain text"
    return None


def _problems(event: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{key} is missing" for key in _KEYS if key not in event)
    yield from (f"{key!r} is not known: use {', '.join(_KEYS)}" for key in event if key not in _KEYS)
    if "run" in event and not (isinstance(event["run"], str) and _RUN.fullmatch(event["run"])):
        yield "run is not the id of a run"
    decision = event.get("decision")
    if "decision" in event and decision not in (APPROVE, REJECT, START):
        yield f"decision is neither {APPROVE} nor {REJECT} nor {START}"
    problem = None if decision == START and event.get("reason") == "" else reason_problem(event.get("reason"))
    if "reason" in event and problem:
        yield problem
