"""Prepare a dataset as a stage of the workflow: from S3 to S3, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lambda_handlers import catalog
from lambda_handlers.datasets import s3_objects
from lambda_handlers.datasets.forms.registry import form_of, settings_of
from lambda_handlers.datasets.passes import outcome
from lambda_handlers.datasets.passes.manifest import Prepared
from lambda_handlers.datasets.passes.measured import Measured
from lambda_handlers.datasets.passes.shard import transform_shard
from lambda_handlers.datasets.passes.summary import merge
from lambda_handlers.datasets.preparation import Preparation
from lambda_handlers.datasets.reading.reader import read_rows
from lambda_handlers.datasets.writers import LineWriter, all_or_none
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
    """Read the stage's configuration; raise UnsupportedCombination for a method without training rows."""
    model = catalog.model(config["model"])
    method = catalog.method(config["method"])
    if method.name not in ("SFT_LORA", "SFT_FULL"):
        raise UnsupportedCombination(f"data preparation makes data for SFT_LORA and SFT_FULL, not for {method.name}")
    return Preparation(
        model=model.name,
        method=method.name,
        columns=config.get("columns") or {},
        system_prompt=config.get("system_prompt"),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Dataset:
    """The object that a run was planned with, at the version that was found then."""

    s3: Any
    uri: str
    bucket: str
    key: str
    version_id: str | None
    size: int

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        assert not start, "the stage reads whole objects"
        return s3_objects.chunks(self.s3, bucket=self.bucket, key=self.key, version_id=self.version_id)


def _prepare(s3: Any, dataset: Mapping[str, Any], config: Mapping[str, Any], buckets: Buckets, folder: str) -> Prepared:
    wanted = preparation(config)
    form, source = form_of(wanted), Measured(_source(s3, dataset))
    output = LineWriter(s3_objects.S3Sink(s3, bucket=buckets.prepared, key=f"{folder}/train.jsonl"))
    quarantine = LineWriter(s3_objects.S3Sink(s3, bucket=buckets.quarantine, key=f"{folder}/quarantine.jsonl"))
    with all_or_none(output, quarantine):
        summary = transform_shard(
            read_rows(source, max_row_bytes=wanted.max_row_bytes),
            form.make(settings_of(wanted)),
            source=source.uri,
            accepted=output,
            quarantine=quarantine,
        )
    return outcome.conclude(
        wanted,
        form,
        merge([summary]),
        inputs=[source.facts()],
        outputs=[output.written(), quarantine.written()],
        max_reject_ratio=config["max_reject_ratio"],
        with_minimum=True,
    )


def _source(s3: Any, dataset: Mapping[str, Any]) -> _Dataset:
    return _Dataset(
        s3=s3,
        uri=dataset["uri"],
        bucket=dataset["bucket"],
        key=dataset["key"],
        version_id=dataset.get("version_id"),
        size=dataset.get("bytes") or 0,
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
        outcome.check(prepared, manifest_uri=manifest_uri)
    except DatasetRejected as rejection:
        ledger.append(
            run_id=event["run"]["id"],
            event_id="dataset-rejected",
            type="dataset_rejected",
            detail={**_result(prepared, manifest_uri), "reason": rejection.message},
        )
        raise
