"""What approvers are told: the run, its scores, what the gate said, and the command that answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from lambda_handlers.approval.message import answer_commands
from lambda_handlers.notifying.notice import APPROVAL, WARNING, Place, Told

_SCORES_SHOWN: Final = 40


def told(run: str, detail: Mapping[str, Any], place: Place) -> Told:
    """Return what is told of a request for approval, from its event in the ledger."""
    commands = answer_commands(run, {"stack": place.stack, "name": place.name})
    deadline = datetime.fromtimestamp(detail["deadline"], UTC).strftime("%Y-%m-%d %H:%M UTC")
    gate = detail.get("gate") or {}
    return Told(
        event="approval_requested",
        kind=APPROVAL,
        heading="Approval needed",
        severity=WARNING,
        sentence=f"Run {run} of {place.customization} waits for approval until {deadline}. Without an answer by then "
        "it ends REJECTED and production stays as it is.",
        facts={
            "status": "REQUESTED",
            "deadline": instant(detail["deadline"]),
            "requester": detail.get("requester"),
            "checkpoint_uri": detail.get("checkpoint_uri"),
            "gate": gate or None,
            "scores": detail.get("scores"),
            "commands": commands,
        },
        lines=[
            f"Asked for by: {detail.get('requester') or 'unknown (nobody attested it)'}",
            f"Checkpoint:   {detail.get('checkpoint_uri', 'unknown')}",
            f"Gate:         {gate.get('sentence') or gate.get('verdict') or 'none in this mode'}",
            "",
            *_score_lines(detail.get("scores") or ()),
        ],
        next="Answer, with credentials of your own:\n" + "\n".join(f"  {command}" for command in commands),
    )


def instant(seconds: float) -> str:
    """Return seconds since the epoch as ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _score_lines(scores: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        f"  {score['task']}{'/' + score['subtask'] if score.get('subtask') else ''}"
        f" ({score.get('model') or 'candidate'}) {metric} = {value}"
        for score in scores
        for metric, value in (score.get("metrics") or {}).items()
    ]
    more = len(lines) - _SCORES_SHOWN
    return (
        ["Scores:", *lines[:_SCORES_SHOWN], *([f"  … and {more} more"] if more > 0 else [])]
        if lines
        else ["Scores: none"]
    )
