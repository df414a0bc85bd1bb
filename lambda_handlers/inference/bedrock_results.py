"""Turn the output of an Amazon Bedrock batch inference job into `inference_results.jsonl`, in the order of the rows."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from typing import IO, Any, Final

from lambda_handlers.datasets.s3_objects import S3Sink
from lambda_handlers.inference.bedrock_job import RECORDS_FILE, lines_at, rows_at
from lambda_handlers.inference.bedrock_records import RecordError, answered, result
from lambda_handlers.inference.conversion import BrokenLineError, to_line
from lambda_handlers.inference.results import keep_record
from lambda_handlers.inference.stages import RESULTS_FILE
from lambda_handlers.protocol.errors import EvaluationFailed, error_code, service_errors
from lambda_handlers.protocol.ledger import Ledger

_SHOWN: Final = 10


def read_results(event: Mapping[str, Any], *, s3: Any, ledger: Ledger) -> dict[str, Any]:
    """Write the results and return their record, as `results.read_results` does, whose payload it has.

    Raises EvaluationFailed naming the rows that have no answer; nothing is written then.
    """
    rows, output_uri = event["data"]["train"], f"{event['submitted']['output_uri']}{RECORDS_FILE}.out"
    bucket, _, prefix = event["output_uri"].removeprefix("s3://").partition("/")
    sink, digest = S3Sink(s3, bucket=bucket, key=f"{prefix}{RESULTS_FILE}"), hashlib.sha256()
    with tempfile.TemporaryFile() as kept:
        answers = _Answers(kept, output_uri, rows["rows"])
        answers.read(s3)
        try:
            with service_errors():
                for number, row in enumerate(rows_at(s3, rows["uri"]), start=1):
                    made = to_line(result(row, answers.to(number)))
                    digest.update(made)
                    sink.write(made)
                sink.close()
        except BaseException:
            sink.abort()
            raise
    return keep_record(
        event, ledger, rows=rows["rows"], results_uri=sink.uri, sha256=digest.hexdigest(), raw_uri=output_uri
    )


class _Answers:
    """Answers by row number, kept in a file: those of 50,000 rows may not fit into memory."""

    def __init__(self, kept: IO[bytes], uri: str, expected: int) -> None:
        self._kept, self._uri, self._expected = kept, uri, expected
        self._places: dict[int, tuple[int, int]] = {}
        self._failed: dict[int, str] = {}

    def read(self, s3: Any) -> None:
        """Read the job's output; raise EvaluationFailed unless each row has one answer."""
        try:
            with service_errors():
                for line in lines_at(s3, self._uri):
                    self._take(line)
        except Exception as error:
            if error_code(error) not in ("NoSuchKey", "404"):
                raise
            raise EvaluationFailed(f"The batch inference left no answers: {self._uri} does not exist.") from error
        for number in range(1, self._expected + 1):
            if number not in self._places:
                self._failed.setdefault(number, "it has no answer")
        if self._failed:
            self._refuse(self._sentence())

    def to(self, number: int) -> str:
        """Return the answer to a row."""
        start, size = self._places[number]
        self._kept.seek(start)
        return self._kept.read(size).decode("utf-8", "surrogatepass")

    def _take(self, line: bytes) -> None:
        try:
            number, answer = answered(line)
        except RecordError as error:
            self._failed[error.number] = str(error)
            return
        except BrokenLineError as error:
            self._refuse(f"a line of it cannot be read: {error}", error)
            return
        if not 1 <= number <= self._expected or number in self._places:
            self._refuse(f"it answers row {number}, which was asked {'once' if number in self._places else 'never'}")
        text = answer.encode("utf-8", "surrogatepass")
        self._places[number] = self._kept.seek(0, 2), len(text)
        self._kept.write(text)

    def _sentence(self) -> str:
        shown = [f"row {number}: {why}" for number, why in sorted(self._failed.items())[:_SHOWN]]
        more = len(self._failed) - len(shown)
        return f"{'; '.join(shown)}{f'; and {more} more' if more else ''}"

    def _refuse(self, why: str, cause: Exception | None = None) -> None:
        raise EvaluationFailed(f"The batch inference is not whole, by {self._uri}: {why}.") from cause
