"""What approvers are told: the run, its scores, what the gate said, and the command that answers."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lambda_handlers.approval.approvals import Approval
from lambda_handlers.protocol.summary import summarize

_SUBJECT_LIMIT: Final = 100
"""Characters of a subject, which has to be ASCII (Amazon SNS API Reference, Publish)."""
_SCORES_SHOWN: Final = 40


def answer_commands(run_id: str, place: Mapping[str, str]) -> list[str]:
    """Return the commands that approve and reject a run of the customization at `place` (`stack`, `name`)."""
    where = ("--stack", place["stack"], "--customization", place["name"])
    return [shlex.join(("nova", verb, run_id, *where, "--reason", "WHY")) for verb in ("approve", "reject")]


def evidence(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the ledger keeps of the grounds on which a person decides: scores, gate, checkpoint."""
    known = summarize(result)
    gate = known.get("gate") or {}
    facts = {
        "scores": [
            {name: score.get(name) for name in ("task", "subtask", "model", "metrics")} for score in _scores(known)
        ],
        "gate": {name: gate[name] for name in ("verdict", "sentence") if name in gate},
        "checkpoint_uri": known.get("checkpoint_uri"),
    }
    return {name: value for name, value in facts.items() if value}


def compose(approval: Approval, result: Mapping[str, Any], place: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of sns:Publish but the topic: subject, text, and attributes that programs can filter by."""
    customization = f"{place['stack']}/{place['name']}"
    known = evidence(result)
    approve, reject = answer_commands(approval.run_id, place)
    lines = [
        f"Run {approval.run_id} of {customization} waits for approval until {approval.deadline_text}.",
        "Without an answer by then it ends REJECTED and production stays as it is.",
        "",
        f"Asked for by: {approval.requester or 'unknown (nobody attested it)'}",
        f"Checkpoint:   {known.get('checkpoint_uri', 'unknown')}",
        *_gate_lines(known.get("gate", {})),
        "",
        *_score_lines(known.get("scores", ())),
        "",
        "To answer, with credentials of your own:",
        f"  {approve}",
        f"  {reject}",
    ]
    subject = f"Approval needed: {approval.run_id} of {customization}"
    attributes = {
        "event": "approval_requested",
        "customization": customization,
        "run": approval.run_id,
        "deadline": str(approval.deadline),
    }
    return {
        "Subject": "".join(char if " " <= char <= "~" else "?" for char in subject)[:_SUBJECT_LIMIT],
        "Message": "\n".join(lines),
        "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    }


def _scores(known: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = known.get("scores") or ()
    return found


def _gate_lines(gate: Mapping[str, Any]) -> list[str]:
    return (
        [f"Gate:         {gate.get('sentence') or gate.get('verdict')}"]
        if gate
        else ["Gate:         none in this mode"]
    )


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
