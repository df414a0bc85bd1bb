"""The Amazon Bedrock batch inference job of a run: its records, and the request that names them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lambda_handlers.datasets.s3_objects import S3Sink, chunks
from lambda_handlers.inference.bedrock_records import record
from lambda_handlers.inference.conversion import BrokenLineError
from lambda_handlers.inference.stages import BATCH_INFERENCE
from lambda_handlers.protocol.errors import DatasetRejected, service_errors
from lambda_handlers.training.job import output_uri

KIND: Final = "ModelInvocationJob"
RECORDS_FILE: Final = "records.jsonl"
FEWEST_RECORDS: Final = 100
MOST_RECORDS: Final = 50_000
"""Records of a job (Bedrock quotas, the defaults of most models)."""
MOST_BYTES: Final = 1024**3
"""Bytes of a file of records (Bedrock quotas, the default of most models)."""


def records_uri(artifacts_bucket: str, run_id: str) -> str:
    """Return where the records of a run lie."""
    return f"s3://{artifacts_bucket}/runs/{run_id}/{BATCH_INFERENCE}/records/{RECORDS_FILE}"


def request_of(
    settings: Mapping[str, Any], run_id: str, *, role_arn: str, artifacts_bucket: str, key_arn: str
) -> dict[str, Any]:
    """Return the body of CreateModelInvocationJob without name, token and tags; `settings` of the batch inference."""
    place = records_uri(artifacts_bucket, run_id)
    out = {"s3Uri": f"{output_uri(artifacts_bucket, run_id).rstrip('/')}/", "s3EncryptionKeyId": key_arn}
    return {
        "modelId": settings["model_id"],
        "roleArn": role_arn,
        "inputDataConfig": {"s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": place}},
        "outputDataConfig": {"s3OutputDataConfig": out},
        "timeoutDurationInHours": settings["timeout_hours"],
    }


def prepare(event: Mapping[str, Any], *, s3: Any, role_arn: str, artifacts_bucket: str, key_arn: str) -> dict[str, Any]:
    """Write the records of the prepared rows and return the request.

    The payload has `run`, `inference` (the settings) and `data` (what the data stage left). Raises DatasetRejected for
    fewer or more rows than a job takes, for more than its file may hold, and for a row that cannot be a record.
    """
    rows = event["data"]["train"]
    _check_count(rows["rows"])
    settings, run_id = event["inference"], event["run"]["id"]
    bucket, _, key = records_uri(artifacts_bucket, run_id).removeprefix("s3://").partition("/")
    sink, size = S3Sink(s3, bucket=bucket, key=key), 0
    try:
        with service_errors():
            for number, row in enumerate(rows_at(s3, rows["uri"]), start=1):
                made = _record(number, row, settings["overrides"])
                size += len(made)
                if size > MOST_BYTES:
                    raise DatasetRejected(
                        f"Batch inference through Bedrock takes up to {MOST_BYTES} bytes, and the rows up to {number} "
                        "have more; use through: training_job, or fewer rows."
                    )
                sink.write(made)
            sink.close()
    except BaseException:
        sink.abort()
        raise
    return request_of(settings, run_id, role_arn=role_arn, artifacts_bucket=artifacts_bucket, key_arn=key_arn)


def contents(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the records are made of, by parts: the request names them by their place alone."""
    return {"data": event["data"]["train"].get("sha256"), "settings": event["inference"]["overrides"]}


def rows_at(s3: Any, uri: str) -> Iterator[dict[str, Any]]:
    """Yield the prepared rows."""
    for line in lines_at(s3, uri):
        yield json.loads(line)


def lines_at(s3: Any, uri: str) -> Iterator[bytes]:
    """Yield the lines of an object that are not empty."""
    # Not by the passes over data sets, whose third-party code these functions ship without.
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    rest = b""
    for piece in chunks(s3, bucket=bucket, key=key, version_id=None):
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line for line in lines if line.strip())
    if rest.strip():
        yield rest


def _record(number: int, row: Mapping[str, Any], values: Mapping[str, Any]) -> bytes:
    try:
        return record(number, row, values)
    except BrokenLineError as error:
        raise DatasetRejected(f"Batch inference through Bedrock cannot ask row {number}: {error}.") from error


def _check_count(count: int) -> None:
    if not FEWEST_RECORDS <= count <= MOST_RECORDS:
        raise DatasetRejected(
            f"Batch inference through Bedrock takes {FEWEST_RECORDS} to {MOST_RECORDS} rows, and there are {count}; "
            "use through: training_job, which takes any number."
        )
