"""Data that an earlier run has prepared of the same, taken by a run that resumes it: there is no second pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers.datasets.passes.splitting import PARTS
from lambda_handlers.datasets.stage.recording import DATA_PREPARED, append_prepared
from lambda_handlers.datasets.stage.request import StageRequest
from lambda_handlers.datasets.stage.shard_objects import ShardObjects
from lambda_handlers.jobs.earlier_output import is_there
from lambda_handlers.protocol.ledger import Ledger, read
from lambda_handlers.protocol.resume import differing, other_inputs, record_not_taken, record_taken
from lambda_handlers.protocol.store import ItemStore

_OF_THE_EVENT: Final = ("made_of", "stage", "from_run")


def take_earlier(
    request: StageRequest, objects: ShardObjects, events: ItemStore, ledger: Ledger
) -> dict[str, Any] | None:
    """Return where the data of an earlier run is; None where there is none that serves, which is recorded with why.

    It serves if dataset, settings and code are the same by hash and every file is there in its size.
    """
    stage, reasons = f"data-{request.stage}" if request.stage else "data", {}
    for run_id in request.run.resumes:
        detail = _prepared(events, run_id, request.stage)
        reason = _refusal(request, objects, detail)
        if detail is None or reason:
            reasons[run_id] = reason or "it had prepared none"
            continue
        origin = str(detail.get("from_run") or run_id)
        taken = {name: value for name, value in detail.items() if name not in _OF_THE_EVENT}
        append_prepared(ledger, request, taken, origin)
        facts = {"manifest_uri": taken["manifest_uri"]}
        record_taken(ledger, request.run.id, stage, from_run=origin, detail=facts)
        return taken
    if reasons:
        record_not_taken(ledger, request.run.id, stage, reasons)
    return None


def _prepared(events: ItemStore, run_id: str, stage: str | None) -> Mapping[str, Any] | None:
    found = [event.detail for event in read(events, run_id) if event.type == DATA_PREPARED]
    return next((detail for detail in found if detail.get("stage") == stage), None)


def _refusal(request: StageRequest, objects: ShardObjects, detail: Mapping[str, Any] | None) -> str:
    if detail is None:
        return "it had prepared none"
    if other := differing(request.made_of, detail.get("made_of", {})):
        return other_inputs(other)
    parts = [detail[part] for part in PARTS if detail.get(part)]
    gone = [part["uri"] for part in parts if not is_there(objects.s3, part["uri"], size=part["bytes"])]
    if not is_there(objects.s3, detail["manifest_uri"]):
        gone.append(detail["manifest_uri"])
    return f"{', '.join(gone)} is no longer there as it was" if gone else ""
