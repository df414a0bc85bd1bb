"""Turn what a batch inference job left into `inference_results.jsonl`: as many rows as were asked, in their order."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import IO, Any, Final

from lambda_handlers.datasets.s3_objects import S3Sink
from lambda_handlers.inference.conversion import BrokenLineError, convert, to_line
from lambda_handlers.inference.stages import BATCH_INFERENCE, RESULTS_FILE
from lambda_handlers.protocol.errors import EvaluationFailed, service_errors
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.training.job_output import JobOutput
from lambda_handlers.training.output_archive import ArchiveError

_INFERENCES: Final = "inference_output.jsonl"
MOST_LINE: Final = 64 * 1024**2
"""Bytes of one line that are read: the row with its images, the answer, and what JSON escapes of both."""


def read_results(event: Mapping[str, Any], *, s3: Any, ledger: Ledger) -> dict[str, Any]:
    """Write the results of a batch inference and return its record, which the ledger gets too.

    The payload has `run`, `submitted` (`job` with its `kind`, `output_uri`), `data` (what the data stage left),
    `output_uri`, where the results go, and `model_path`. Raises EvaluationFailed naming the row that is missing or
    broken; nothing is written then.
    """
    left, rows = JobOutput.of(event["submitted"]), event["data"]["train"]
    bucket, _, prefix = event["output_uri"].removeprefix("s3://").partition("/")
    sink = S3Sink(s3, bucket=bucket, key=f"{prefix}{RESULTS_FILE}")
    results = _Results(sink, left.uri, expected=rows["rows"])
    try:
        _convert(s3, left, results)
        with service_errors():
            sink.close()
    except BaseException:
        sink.abort()
        raise
    digest = results.digest.hexdigest()
    return keep_record(event, ledger, rows=results.rows, results_uri=sink.uri, sha256=digest, raw_uri=left.uri)


def keep_record(
    event: Mapping[str, Any], ledger: Ledger, *, rows: int, results_uri: str, sha256: str, raw_uri: str
) -> dict[str, Any]:
    """Return the record of a batch inference, and tell it to the ledger; `sha256` is that of the results."""
    record = {
        "rows": rows,
        "results_uri": results_uri,
        "results_sha256": sha256,
        "dataset_sha256": event["data"]["train"]["sha256"],
        "model_path": event["model_path"],
        "raw_uri": raw_uri,
        "job": event["submitted"]["job"],
    }
    ledger.append(
        run_id=event["run"]["id"], event_id=f"{BATCH_INFERENCE}-read", type="batch_inference_read", detail=record
    )
    return record


def _convert(s3: Any, left: JobOutput, results: _Results) -> None:
    def visit(name: str, content: IO[bytes], _size: int) -> None:
        if PurePosixPath(name).name == _INFERENCES:
            results.take(name, content)

    try:
        left.walk(s3, visit)
    except ArchiveError as error:
        raise EvaluationFailed(f"The batch inference left no usable output: {error}.") from error
    results.finish()


class _Results:
    """Converts lines one by one. Attributes: `rows`, written so far; `digest`, of what was written."""

    def __init__(self, sink: S3Sink, output_uri: str, *, expected: int) -> None:
        self.rows, self.digest = 0, hashlib.sha256()
        self._sink, self._output_uri, self._expected = sink, output_uri, expected
        self._name: str | None = None

    def take(self, name: str, content: IO[bytes]) -> None:
        """Convert the lines of a file of answers; raise EvaluationFailed for a second file, and for a broken line."""
        if self._name:
            raise EvaluationFailed(
                f"The batch inference left two files of answers, {self._name} and {name} in {self._output_uri}: "
                "which rows they are of nobody knows."
            )
        self._name = name
        while line := content.readline(MOST_LINE + 1):
            if self.rows == self._expected:
                self._refuse(f"has more lines than the {self._expected} rows that were asked")
            self._take_line(line)

    def finish(self) -> None:
        """Raise EvaluationFailed unless there is an answer to every row."""
        if self._name is None:
            raise EvaluationFailed(f"The batch inference left no answers: {self._output_uri} has no {_INFERENCES}.")
        if self.rows < self._expected:
            self._refuse(f"has {self.rows} answers to {self._expected} rows: row {self.rows + 1} is missing")

    def _take_line(self, line: bytes) -> None:
        number = self.rows + 1
        if len(line) > MOST_LINE:
            self._refuse(f"row {number} cannot be read: it has more than {MOST_LINE} bytes")
        try:
            made = to_line(convert(line))
        except BrokenLineError as error:
            self._refuse(f"row {number} cannot be read: {error}", error)
        self.digest.update(made)
        with service_errors():
            self._sink.write(made)
        self.rows = number

    def _refuse(self, why: str, cause: Exception | None = None) -> None:
        raise EvaluationFailed(
            f"The batch inference is not whole: {self._name} in {self._output_uri} {why}."
        ) from cause
