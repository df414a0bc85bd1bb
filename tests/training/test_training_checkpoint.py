"""The checkpoint is what the training job's manifest names, and nothing else."""

from __future__ import annotations

import json

import pytest

from lambda_handlers.protocol.errors import JobFailed
from lambda_handlers.training import checkpoint
from tests.training.training_support import RUN, URI, MemoryS3, Recorder, archive

ESCROW = "s3://customer-escrow-123456789012-smtj-abc/job-1/checkpoints/192"


def manifest(**content: object) -> bytes:
    return archive({"manifest.json": json.dumps(content).encode()})


@pytest.mark.parametrize("name", ["manifest.json", "./manifest.json"])
def test_the_checkpoint_is_returned_and_recorded(name: str) -> None:
    s3, ledger = MemoryS3({URI: archive({name: json.dumps({"checkpoint_s3_bucket": ESCROW}).encode()})}), Recorder()
    found = checkpoint.resolve({"run": RUN, "training": {"output_uri": URI}}, s3=s3, ledger=ledger)
    assert found == {"uri": ESCROW, "platform": "SMTJ"}
    [event] = ledger.events
    assert (event["type"], event["detail"]["uri"]) == ("checkpoint_resolved", ESCROW)
    assert event["detail"]["manifest"] == f"{URI}#manifest.json"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (archive({"other.json": b"{}", "deep/manifest.json": b"{}"}), "output.tar.gz has no manifest.json"),
        (archive({"manifest.json": b"{"}), "manifest.json is not JSON"),
        (archive({"manifest.json": b"[1]"}), "checkpoint_s3_bucket is null"),
        (manifest(other="x"), "checkpoint_s3_bucket is null"),
        (manifest(checkpoint_s3_bucket=" "), 'checkpoint_s3_bucket is " "'),
        (manifest(checkpoint_s3_bucket="/local/path"), "names no checkpoint"),
        (manifest(checkpoint_s3_bucket="s3://bucket"), "names no checkpoint"),
        (b"", "is not a whole tar.gz archive"),
    ],
)
def test_a_manifest_that_names_no_checkpoint_fails_the_run(content: bytes, words: str) -> None:
    with pytest.raises(JobFailed) as caught:
        checkpoint.checkpoint_of(MemoryS3({URI: content}), URI)
    assert words in caught.value.message
    assert URI in caught.value.message


def test_a_job_without_output_fails_the_run() -> None:
    with pytest.raises(JobFailed, match=rf"left no usable output: {URI} does not exist"):
        checkpoint.checkpoint_of(MemoryS3(), URI)
