"""The checkpoint is what the training job's manifest names, and nothing else."""

from __future__ import annotations

import json

import pytest

from lambda_handlers.catalog import Platform
from lambda_handlers.catalog.checkpoints import checkpoint_platform, is_checkpoint
from lambda_handlers.catalog.platforms import platform_of_job
from lambda_handlers.protocol.errors import JobFailed
from lambda_handlers.training import checkpoint
from tests.training.training_support import RUN, URI, MemoryS3, Recorder, archive

ESCROW = "s3://customer-escrow-123456789012-smtj-abc/job-1/checkpoints/192"


def submitted(output_uri: str, platform: Platform = Platform.SMTJ) -> dict[str, object]:
    """Return what the state of the training job leaves."""
    return {"output_uri": output_uri, "job": {"stage": "training", "kind": platform.job_kind, "name": "job-1"}}


def manifest(**content: object) -> bytes:
    return archive({"manifest.json": json.dumps(content).encode()})


@pytest.mark.parametrize("name", ["manifest.json", "./manifest.json"])
def test_the_checkpoint_is_returned_and_recorded(name: str) -> None:
    s3, ledger = MemoryS3({URI: archive({name: json.dumps({"checkpoint_s3_bucket": ESCROW}).encode()})}), Recorder()
    found = checkpoint.resolve({"run": RUN, "training": submitted(URI)}, s3=s3, ledger=ledger)
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
        checkpoint.locate(MemoryS3({URI: content}), URI, Platform.SMTJ)
    assert words in caught.value.message
    assert URI in caught.value.message


def test_a_job_without_output_fails_the_run() -> None:
    with pytest.raises(JobFailed, match=rf"left no usable output: {URI} does not exist"):
        checkpoint.locate(MemoryS3(), URI, Platform.SMTJ)


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
        checkpoint.locate(MemoryS3({URI: archive({"other": b""})}), URI, Platform.SMTJ)
    assert f"{URI} has no manifest.json" in caught.value.message
    assert f"{JOB}/output/output/manifest.json does not exist" in caught.value.message


def test_a_manifest_that_is_there_and_wrong_ends_the_search() -> None:
    both = {URI: manifest(other="x"), f"{JOB}/output/output/manifest.json": NAMED}
    with pytest.raises(JobFailed, match="names no checkpoint"):
        checkpoint.locate(MemoryS3(both), URI, Platform.SMTJ)


def test_a_further_training_stage_has_an_event_of_its_own() -> None:
    s3, ledger = MemoryS3({URI: manifest(checkpoint_s3_bucket=ESCROW)}), Recorder()
    event = {"run": RUN, "stage": "more", "training": submitted(URI)}
    assert checkpoint.resolve(event, s3=s3, ledger=ledger) == {"uri": ESCROW, "platform": "SMTJ"}
    [recorded] = ledger.events
    assert (recorded["event_id"], recorded["detail"]["stage"]) == ("checkpoint-resolved-more", "more")


ESCROW_HP = "s3://customer-escrow-123456789012-hp-abc/job-1/192"
UNTOLD = "s3://customer-escrow-123456789012/job-1/192"


@pytest.mark.parametrize(
    ("platform", "place", "named"),
    [
        (Platform.SMTJ, URI, ESCROW),
        (Platform.SMTJ, URI, UNTOLD),
        (Platform.SMHP, f"{JOB}/manifest.json", ESCROW_HP),
        (Platform.SMHP, f"{JOB}/manifest.json", UNTOLD),
    ],
)
def test_the_platform_is_that_of_the_job_and_not_guessed(platform: Platform, place: str, named: str) -> None:
    content = json.dumps({"checkpoint_s3_bucket": named}).encode()
    s3 = MemoryS3({place: content if platform is Platform.SMHP else archive({"manifest.json": content})})
    event = {"run": RUN, "training": submitted(URI if platform is Platform.SMTJ else JOB, platform)}
    ledger = Recorder()
    assert checkpoint.resolve(event, s3=s3, ledger=ledger) == {"uri": named, "platform": platform.value}
    [recorded] = ledger.events
    assert recorded["detail"]["manifest"].partition("#")[0] == place


def test_a_checkpoint_of_another_platform_is_not_that_of_the_job() -> None:
    s3, ledger = MemoryS3({URI: manifest(checkpoint_s3_bucket=ESCROW_HP)}), Recorder()
    with pytest.raises(JobFailed, match=f"names the checkpoint {ESCROW_HP} of SMHP, and the job ran on SMTJ"):
        checkpoint.resolve({"run": RUN, "training": submitted(URI)}, s3=s3, ledger=ledger)
    assert ledger.events == []


def test_a_job_that_trains_nothing_has_no_platform() -> None:
    with pytest.raises(ValueError, match="a CustomModel runs on no platform: only TrainingJob and PyTorchJob do"):
        platform_of_job("CustomModel")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "manifest.json does not exist"),
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"{" * 100_000, "is not JSON"),
        (b"[]", "checkpoint_s3_bucket is null"),
        (b'{"checkpoint_s3_bucket": "s3://bucket/x"}', "names no checkpoint"),
        (b" " * (16 * 1024**2 + 1), "is larger than 16777216 bytes"),
    ],
)
def test_a_manifest_of_hyperpod_that_names_no_checkpoint_fails_the_run(content: bytes | None, words: str) -> None:
    s3 = MemoryS3({} if content is None else {f"{JOB}/manifest.json": content})
    event = {"run": RUN, "training": submitted(JOB, Platform.SMHP)}
    with pytest.raises(JobFailed, match=words) as caught:
        checkpoint.resolve(event, s3=s3, ledger=Recorder())
    assert f"{JOB}/manifest.json" in caught.value.message


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
