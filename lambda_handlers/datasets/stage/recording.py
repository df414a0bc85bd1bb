"""What the ledger and the next stage are told of a prepared dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from lambda_handlers.datasets.passes import outcome
from lambda_handlers.datasets.passes.manifest import Prepared, ReadObject
from lambda_handlers.datasets.passes.splitting import PARTS
from lambda_handlers.datasets.stage.request import StageRequest
from lambda_handlers.protocol.errors import DataPreparationFailed, DatasetRejected
from lambda_handlers.protocol.ledger import Ledger

DATA_PREPARED: Final = "data_prepared"
"""Type of the ledger event of a dataset that can be trained on."""


def record(prepared: Prepared, manifest_uri: str, *, request: StageRequest, ledger: Ledger) -> dict[str, Any]:
    """Tell the ledger what came of the dataset and return what the next stage needs.

    Each dataset of a run has an event of its own, which names the further training stage that it is for.
    Raises DatasetRejected when the data does not allow training, DataPreparationFailed when it is not what was planned.
    """
    _check_planned(prepared.manifest.inputs, request.inputs)
    result = _result(prepared, manifest_uri)
    run_id, suffix = request.run.id, f"-{request.stage}" if request.stage else ""
    detail = {**result, "stage": request.stage} if request.stage else result
    try:
        outcome.check(prepared, manifest_uri=manifest_uri)
    except DatasetRejected as rejection:
        ledger.append(
            run_id=run_id,
            event_id=f"dataset-rejected{suffix}",
            type="dataset_rejected",
            detail={**detail, "reason": rejection.message},
        )
        raise
    append_prepared(ledger, request, result)
    return result


def append_prepared(ledger: Ledger, request: StageRequest, result: Mapping[str, Any], origin: str = "") -> None:
    """Tell the ledger what data there is and what it was made of; `origin` is the earlier run that made it, if any."""
    suffix = f"-{request.stage}" if request.stage else ""
    detail = {**result, "made_of": dict(request.made_of)}
    detail |= {"stage": request.stage} if request.stage else {}
    detail |= {"from_run": origin} if origin else {}
    ledger.append(run_id=request.run.id, event_id=f"data-prepared{suffix}", type=DATA_PREPARED, detail=detail)


def _check_planned(found: Sequence[ReadObject], planned: Sequence[ReadObject]) -> None:
    expected = {item.uri: item.sha256 for item in planned}
    for item in found:
        if expected[item.uri] != item.sha256:
            raise DataPreparationFailed(
                f"the dataset {item.uri} changed after the run was planned: its SHA-256 differs"
            )


def _result(prepared: Prepared, manifest_uri: str) -> dict[str, Any]:
    *parts, quarantine = prepared.manifest.outputs
    return {
        **{name: asdict(part) for name, part in zip(PARTS, parts, strict=False)},
        "rows": prepared.manifest.rows.as_dict(),
        "manifest_uri": manifest_uri,
        "quarantine_uri": quarantine.uri,
    }
