"""Find the checkpoint that a training job left, as its manifest names it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from lambda_handlers.protocol.errors import JobFailed
from lambda_handlers.protocol.ledger import Ledger
from lambda_handlers.training import output_archive

MANIFEST: Final = "manifest.json"
_KEY: Final = "checkpoint_s3_bucket"
_CHECKPOINT: Final = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/\S+")


def resolve(event: Mapping[str, Any], *, s3: Any, ledger: Ledger) -> dict[str, str]:
    """Return the checkpoint of the run's training job and the platform it can be used on; record it.

    Raises JobFailed, naming the object, when the job's output or its manifest is missing or not usable.
    """
    archive = event["training"]["output_uri"]
    checkpoint = {"uri": checkpoint_of(s3, archive), "platform": "SMTJ"}
    detail = {**checkpoint, "manifest": f"{archive}#{MANIFEST}"}
    ledger.append(run_id=event["run"]["id"], event_id="checkpoint-resolved", type="checkpoint_resolved", detail=detail)
    return checkpoint


def checkpoint_of(s3: Any, archive_uri: str) -> str:
    """Return the checkpoint that the manifest at the root of a job's output archive names."""
    try:
        found = output_archive.read(s3, archive_uri, lambda name: name.removeprefix("./") == MANIFEST)
    except output_archive.ArchiveError as error:
        raise JobFailed(f"The training job left no usable output: {error}.") from error
    if not found:
        raise JobFailed(f"The training job left no usable output: {archive_uri} has no {MANIFEST}.")
    return _named(found[-1].content, f"{archive_uri}#{MANIFEST}")


def _named(content: bytes, place: str) -> str:
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise JobFailed(f"The manifest {place} is not JSON: {error}.") from error
    uri = manifest.get(_KEY) if isinstance(manifest, dict) else None
    if not isinstance(uri, str) or not _CHECKPOINT.fullmatch(uri.strip()):
        raise JobFailed(f"The manifest {place} names no checkpoint: {_KEY} is {json.dumps(uri)[:200]}.")
    return uri.strip()
