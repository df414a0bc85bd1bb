"""Find the checkpoint that a training job left, as its manifest names it.

Where the manifest is (Amazon Nova SDK and SageMaker SDK, `checkpoint_util` and `training.utils`), below the job's
folder of the output location:

- `output/output.tar.gz`, at the root of the archive: training jobs;
- `output/output/manifest.json`: training jobs whose output is not compressed, and serverless ones;
- `manifest.json`: HyperPod.

`model.tar.gz`, which the service may name as the model artifacts, does not hold the weights.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from lambda_handlers.catalog import Platform
from lambda_handlers.catalog.checkpoints import CHECKPOINT_FORM, checkpoint_platform, is_checkpoint
from lambda_handlers.protocol.errors import JobFailed, error_code, service_errors
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.training import output_archive
from lambda_handlers.training.job_output import JobOutput

MANIFEST: Final = "manifest.json"
CHECKPOINT_RESOLVED: Final = "checkpoint_resolved"
"""Type of the ledger event that names a run's checkpoint."""
_ARCHIVE: Final = "/output/output.tar.gz"
_KEY: Final = "checkpoint_s3_bucket"
_MOST_BYTES: Final = 16 * 1024**2


def resolve(event: Mapping[str, Any], *, s3: Any, ledger: Ledger) -> dict[str, str]:
    """Return the checkpoint of the run's training job and the platform it can be used on; record it.

    The payload's `training` is the stage's result; its optional `stage` names a further training stage.

    Raises JobFailed, naming what was looked at, when the job's output or its manifest is missing or not usable, or
    names a checkpoint of another platform than the job ran on.
    """
    left = JobOutput.of(event["training"])
    uri, manifest = locate(s3, left.uri, left.platform)
    made_on = checkpoint_platform(uri)
    if made_on not in (None, left.platform):
        raise JobFailed(
            f"The manifest {manifest} names the checkpoint {uri} of {made_on}, and the job ran on {left.platform}: "
            "it is not the checkpoint of this training."
        )
    checkpoint = {"uri": uri, "platform": left.platform.value}
    stage = event.get("stage")
    detail = {**checkpoint, "manifest": manifest} | ({"stage": stage} if stage else {})
    event_id = f"checkpoint-resolved-{stage}" if stage else "checkpoint-resolved"
    ledger.append(run_id=event["run"]["id"], event_id=event_id, type=CHECKPOINT_RESOLVED, detail=detail)
    return checkpoint


def locate(s3: Any, output_uri: str, platform: Platform) -> tuple[str, str]:
    """Return the checkpoint of a job and the place of the manifest that names it.

    `output_uri` is the job's `output.tar.gz`, or the job's folder of the output location. A manifest that is there and
    names no checkpoint ends the search.

    Raises JobFailed, naming every place that was looked at, when there is no usable manifest.
    """
    job = output_uri.removesuffix("/").removesuffix(_ARCHIVE)
    archived: tuple[str, _Read] = (f"{job}{_ARCHIVE}", _in_archive)
    loose: tuple[str, _Read] = (f"{job}/output/output/{MANIFEST}", _object)
    hyperpod: tuple[str, _Read] = (f"{job}/{MANIFEST}", _object)
    missing: list[str] = []
    for place, read in [hyperpod] if platform is Platform.SMHP else [archived, loose]:
        try:
            content, where = read(s3, place)
        except output_archive.ArchiveError as error:
            missing.append(str(error))
            continue
        return _named(content, where), where
    raise JobFailed(f"The training job left no usable output: {'; '.join(missing)}.")


_Read = Callable[[Any, str], tuple[bytes, str]]


def _in_archive(s3: Any, uri: str) -> tuple[bytes, str]:
    found = output_archive.read(s3, uri, lambda name: name.removeprefix("./") == MANIFEST)
    if not found:
        raise output_archive.ArchiveError(f"{uri} has no {MANIFEST}")
    return found[-1].content, f"{uri}#{MANIFEST}"


def _object(s3: Any, uri: str) -> tuple[bytes, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        with service_errors():
            content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read(_MOST_BYTES + 1)
    except Exception as error:
        if error_code(error) not in output_archive.ABSENT:
            raise
        raise output_archive.ArchiveError(f"{uri} does not exist, or may not be read") from error
    if len(content) > _MOST_BYTES:
        raise output_archive.ArchiveError(f"{uri} is larger than {_MOST_BYTES} bytes")
    return content, uri


def _named(content: bytes, place: str) -> str:
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise JobFailed(f"The manifest {place} is not JSON: {error}.") from error
    uri = manifest.get(_KEY) if isinstance(manifest, dict) else None
    if not isinstance(uri, str) or not is_checkpoint(uri.strip()):
        named = json.dumps(uri)[:200]
        raise JobFailed(f"The manifest {place} names no checkpoint: {_KEY} is {named}, needed {CHECKPOINT_FORM}.")
    return uri.strip()
