"""Prepare a dataset as a stage of the workflow: from S3 to S3, in constant memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lambda_handlers import catalog
from lambda_handlers.datasets import s3_objects
from lambda_handlers.datasets.forms.columns import Columns
from lambda_handlers.datasets.forms.converse import NovaVersion
from lambda_handlers.datasets.passes import outcome
from lambda_handlers.datasets.passes.single import Preparation, Prepared, Source, prepare
from lambda_handlers.datasets.writers import LineWriter
from lambda_handlers.protocol.errors import (
    DataPreparationFailed,
    DatasetRejected,
    UnsupportedCombination,
    error_code,
    service_errors,
)
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.protocol.run import Run


@dataclass(frozen=True, kw_only=True, slots=True)
class Buckets:
    """Where prepared and rejected rows go."""

    prepared: str
    quarantine: str


def prepare_run(event: Mapping[str, Any], *, s3: Any, buckets: Buckets, ledger: Ledger) -> dict[str, Any]:
    """Prepare the dataset of a run, record the outcome, and return where the training data is.

    Raises DatasetRejected when the data does not allow training, DataPreparationFailed when it cannot be read or has
    changed since the run was planned.
    """
    run, dataset, config = Run.parse(event["run"]), event["dataset"], event["config"]
    folder = f"runs/{run.id}"
    try:
        with service_errors():
            prepared = _prepare(s3, dataset, config, buckets, folder)
    except Exception as error:
        raise _explained(error, dataset["uri"]) from error
    manifest_uri = f"s3://{buckets.prepared}/{folder}/manifest.json"
    with service_errors():
        s3.put_object(Bucket=buckets.prepared, Key=f"{folder}/manifest.json", Body=prepared.manifest.to_json())
    result = _result(prepared, manifest_uri)
    _check(prepared, event, manifest_uri, ledger)
    ledger.append(run_id=run.id, event_id="data-prepared", type="data_prepared", detail=result)
    return result


def preparation(config: Mapping[str, Any]) -> Preparation:
    """Read the stage's configuration; raise InvalidRequest for its columns, UnsupportedCombination for its method."""
    model = catalog.model(config["model"])
    method = catalog.method(config["method"])
    if method.name not in ("SFT_LORA", "SFT_FULL"):
        raise UnsupportedCombination(f"data preparation makes data for SFT_LORA and SFT_FULL, not for {method.name}")
    return Preparation(
        model=model.name,
        nova=_version(model.version),
        method=method.name,
        columns=Columns.parse(config.get("columns")),
        system_prompt=config.get("system_prompt"),
    )


def _version(number: int) -> NovaVersion:
    return 1 if number == 1 else 2


def _prepare(s3: Any, dataset: Mapping[str, Any], config: Mapping[str, Any], buckets: Buckets, folder: str) -> Prepared:
    version = dataset.get("version_id")
    return prepare(
        Source(
            uri=dataset["uri"],
            version_id=version,
            chunks=s3_objects.chunks(s3, bucket=dataset["bucket"], key=dataset["key"], version_id=version),
        ),
        preparation(config),
        output=LineWriter(s3_objects.S3Sink(s3, bucket=buckets.prepared, key=f"{folder}/train.jsonl")),
        quarantine=LineWriter(s3_objects.S3Sink(s3, bucket=buckets.quarantine, key=f"{folder}/quarantine.jsonl")),
    )


def _explained(error: Exception, uri: str) -> Exception:
    code = error_code(error)
    if code in ("NoSuchKey", "NoSuchVersion", "NoSuchBucket", "404", "PreconditionFailed"):
        return DataPreparationFailed(f"the dataset {uri} changed or vanished while it was read ({code})")
    return error


def _result(prepared: Prepared, manifest_uri: str) -> dict[str, Any]:
    train, quarantine = prepared.manifest.outputs
    return {
        "train": {key: value for key, value in asdict(train).items() if key != "rows"},
        "rows": prepared.manifest.rows.as_dict(),
        "manifest_uri": manifest_uri,
        "quarantine_uri": quarantine.uri,
    }


def _check(prepared: Prepared, event: Mapping[str, Any], manifest_uri: str, ledger: Ledger) -> None:
    planned, [source] = event["dataset"].get("sha256"), prepared.manifest.inputs
    if planned and planned != source.sha256:
        raise DataPreparationFailed(f"the dataset {source.uri} changed after the run was planned: its SHA-256 differs")
    try:
        outcome.check(prepared, max_reject_ratio=event["config"]["max_reject_ratio"], manifest_uri=manifest_uri)
    except DatasetRejected as rejection:
        ledger.append(
            run_id=event["run"]["id"],
            event_id="dataset-rejected",
            type="dataset_rejected",
            detail={**_result(prepared, manifest_uri), "reason": rejection.message},
        )
        raise
