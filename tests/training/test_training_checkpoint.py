"""The checkpoint is what the training job's manifest names, and nothing else."""

from __future__ import annotations

import json

import pytest

from lambda_handlers.catalog import Platform
from lambda_handlers.catalog.checkpoints import checkpoint_platform, is_checkpoint
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
        (manifest(checkpoint_s3_bucket="s3://my-bucket/job-1/checkpoints/192"), "needed s3://customer-escrow-ACCOUNT"),
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


JOB = "s3://artifacts-bucket/runs/run-1/jobs/job-1"
NAMED = json.dumps({"checkpoint_s3_bucket": ESCROW}).encode()


@pytest.mark.parametrize("given", [URI, JOB, f"{JOB}/"])
@pytest.mark.parametrize(
    ("platform", "place", "content"),
    [
        (Platform.SMTJ, URI, archive({"manifest.json": NAMED})),
        (Platform.SMTJ, f"{JOB}/output/output/manifest.json", NAMED),
        (Platform.SMHP, f"{JOB}/manifest.json", NAMED),
    ],
)
def test_the_manifest_is_found_in_every_layout(given: str, platform: Platform, place: str, content: bytes) -> None:
    found, manifest = checkpoint.locate(MemoryS3({place: content}), given, platform)
    assert (found, manifest.partition("#")[0]) == (ESCROW, place)


def test_a_layout_of_the_other_platform_is_not_taken() -> None:
    with pytest.raises(JobFailed):
        checkpoint.locate(MemoryS3({f"{JOB}/manifest.json": NAMED}), URI, Platform.SMTJ)
    with pytest.raises(JobFailed):
        checkpoint.locate(MemoryS3({URI: archive({"manifest.json": NAMED})}), URI, Platform.SMHP)


def test_what_was_looked_at_is_named_when_there_is_no_checkpoint() -> None:
    with pytest.raises(JobFailed) as caught:
        checkpoint.checkpoint_of(MemoryS3({URI: archive({"other": b""})}), URI)
    assert f"{URI} has no manifest.json" in caught.value.message
    assert f"{JOB}/output/output/manifest.json does not exist" in caught.value.message


def test_a_manifest_that_is_there_and_wrong_ends_the_search() -> None:
    both = {URI: manifest(other="x"), f"{JOB}/output/output/manifest.json": NAMED}
    with pytest.raises(JobFailed, match="names no checkpoint"):
        checkpoint.checkpoint_of(MemoryS3(both), URI)


def test_a_further_training_stage_has_an_event_of_its_own_and_a_checkpoint_its_platform() -> None:
    elsewhere = "s3://customer-escrow-123456789012-hp-abc/job-1/192"
    s3, ledger = MemoryS3({URI: manifest(checkpoint_s3_bucket=elsewhere)}), Recorder()
    event = {"run": RUN, "stage": "more", "training": {"output_uri": URI}}
    assert checkpoint.resolve(event, s3=s3, ledger=ledger) == {"uri": elsewhere, "platform": "SMHP"}
    [recorded] = ledger.events
    assert (recorded["event_id"], recorded["detail"]["stage"]) == ("checkpoint-resolved-more", "more")


@pytest.mark.parametrize(
    ("uri", "fits", "platform"),
    [
        (ESCROW, True, Platform.SMTJ),
        (f"{ESCROW}/", True, Platform.SMTJ),
        ("s3://customer-escrow-123456789012-hp-x/j/1", True, Platform.SMHP),
        ("s3://customer-escrow-123/job-id/checkpoints/192", True, None),
        ("s3://customer-escrow-123456789012-smtj-abc", False, None),
        ("s3://customer-escrow-123456789012-smtj-abc/", False, None),
        ("s3://my-hp-bucket/x", False, None),
        ("s3://my-customer-escrow-1-smtj-a/x", False, None),
        ("nova-lite-2/prod", False, None),
    ],
)
def test_the_address_of_a_checkpoint_tells_its_platform_and_nothing_else_does(
    uri: str, fits: bool, platform: Platform | None
) -> None:
    assert (is_checkpoint(uri), checkpoint_platform(uri)) == (fits, platform)
