"""What a batch inference job leaves, in a store that answers as S3 does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lambda_handlers.catalog import Platform
from lambda_handlers.inference import results
from tests.training.training_support import FOLDER, RUN, URI, MemoryS3, Recorder, archive

PLACE = "run/eval_results/inference_output.jsonl"
OUTPUT = "s3://artifacts-bucket/runs/run-1/inference/"
RESULTS = f"{OUTPUT}inference_results.jsonl"


def line(query: str = "Capital of Peru?", answer: str = "Lima", gold: str = "Lima", **more: Any) -> dict[str, Any]:
    """Return a line as the container writes it."""
    turns = [{"role": "user", "content": query}]
    return {"prompt": repr(turns), "inference": repr([answer]), "gold": gold, **more}


def lines(*rows: Mapping[str, Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def read(
    files: Mapping[str, bytes] | bytes, rows: int, s3: MemoryS3 | None = None
) -> tuple[dict[str, Any], Sequence[dict[str, Any]], Recorder]:
    """Read an archive, or one with these lines; return the record, the results and the ledger."""
    s3 = s3 or MemoryS3()
    s3.objects[URI] = files if isinstance(files, bytes) else archive(files)
    return read_output(s3, URI, rows, Platform.SMTJ)


def read_folder(files: Mapping[str, bytes], rows: int) -> tuple[dict[str, Any], Sequence[dict[str, Any]], Recorder]:
    """Read the folder of a HyperPod job with these files, as `read` does."""
    s3 = MemoryS3({f"{FOLDER}/{name}": content for name, content in files.items()})
    return read_output(s3, FOLDER, rows, Platform.SMHP)


def read_output(
    s3: MemoryS3, uri: str, rows: int, platform: Platform
) -> tuple[dict[str, Any], Sequence[dict[str, Any]], Recorder]:
    ledger = Recorder()
    event = {
        "run": RUN,
        "submitted": {"output_uri": uri, "job": {"kind": platform.job_kind, "name": "job-1"}},
        "data": {"train": {"uri": "s3://prepared/rows", "sha256": "0" * 64, "rows": rows}},
        "output_uri": OUTPUT,
        "model_path": "s3://customer-escrow-123456789012-smtj-abc/job-1",
    }
    record = results.read_results(event, s3=s3, ledger=ledger)
    return record, [json.loads(each) for each in s3.objects[RESULTS].split(b"\n") if each], ledger
