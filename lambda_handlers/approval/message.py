"""On what grounds approvers decide, and the command that answers."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from lambda_handlers.protocol.summary import summarize


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


def _scores(known: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = known.get("scores") or ()
    return found
