"""When a stage of an earlier run serves a later one: all its inputs are the same by hash, whatever run they lie at.

Inputs come in named parts, so that the record can say which of them differ. A part that cannot be known, such as the
code of a function that a job calls, is None: nothing is the same as that.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.protocol.names import sha256

STAGE_TAKEN: Final = "stage_taken"
STAGE_NOT_TAKEN: Final = "stage_not_taken"
JOB_ADOPTED: Final = "job_adopted"
"""Types of the ledger events of a run that resumes another."""
MOST_RUNS: Final = 20
"""How many runs, each resumed by the next, are looked at."""
_UNKNOWN: Final = ""
_ANY_RUN: Final = "RUN"


def input_hashes(parts: Mapping[str, Any], runs: Collection[str]) -> dict[str, str]:
    """Return the SHA-256 of each part, with what is peculiar to these runs replaced: folders, and the id by itself."""
    return {
        name: _UNKNOWN if value is None else sha256(without_runs(value, runs)) for name, value in sorted(parts.items())
    }


def differing(wanted: Mapping[str, str], known: Mapping[str, str]) -> list[str]:
    """Return the parts that are not known to be the same; empty where one may be taken for the other."""
    names = sorted({*wanted, *known})
    return [name for name in names if not wanted.get(name) or wanted.get(name) != known.get(name)]


def without_runs(value: Any, runs: Collection[str]) -> Any:
    """Return a document with one word for all these runs, in folders `/runs/ID/` and where the id is a whole text."""
    if isinstance(value, Mapping):
        return {str(key): without_runs(each, runs) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_runs(each, runs) for each in value]
    if not isinstance(value, str) or not runs:
        return value
    if value in runs:
        return _ANY_RUN
    names = "|".join(re.escape(run) for run in sorted(runs))
    return re.sub(rf"(?<=/runs/)(?:{names})(?=/|$)", _ANY_RUN, value)


def record_taken(ledger: Ledger, run_id: str, stage: str, *, from_run: str, detail: Mapping[str, Any]) -> None:
    """Record that a stage is not done again; `from_run` is the run that did it."""
    taken = {"stage": stage, "from_run": from_run, **detail}
    ledger.append(run_id=run_id, event_id=f"{STAGE_TAKEN}/{stage}", type=STAGE_TAKEN, detail=taken)


def record_not_taken(ledger: Ledger, run_id: str, stage: str, reasons: Mapping[str, str]) -> None:
    """Record why a stage is done again: for each earlier run, the reason."""
    detail = {"stage": stage, "reasons": dict(reasons)}
    ledger.append(run_id=run_id, event_id=f"{STAGE_NOT_TAKEN}/{stage}", type=STAGE_NOT_TAKEN, detail=detail)


def other_inputs(parts: Collection[str]) -> str:
    """Return the reason why what an earlier run has done is not taken."""
    return f"not known to be the same: {', '.join(parts)}"
