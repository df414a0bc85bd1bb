"""What objects of a job are marked with, so that they are known as the job's and found again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from lambda_handlers.jobs.driver import CUSTOMIZATION_TAG, DIGEST_TAG, RUN_TAG, STAGE_TAG
from lambda_handlers.protocol.errors import InvalidRequest

_PREFIX: Final = "nova-constructs/"
JOB_LABEL: Final = f"{_PREFIX}job"
"""On every object of a job and on its pods: the job's name."""
DIGEST: Final = f"{_PREFIX}request-digest"
OBJECTS: Final = f"{_PREFIX}objects"
"""On the first object of a job: every other one that it has, in order, as JSON `[kind, name]`."""
OUTPUT: Final = f"{_PREFIX}output-uri"
"""On the PyTorchJob: where it writes, `<output_s3_path of the recipe>/<job>`."""
MAX_PENDING: Final = f"{_PREFIX}max-pending-seconds"
"""On the PyTorchJob: how long a pod may wait for a node before the job counts as one that gets none."""

_ANNOTATIONS: Final[Mapping[str, str]] = {
    CUSTOMIZATION_TAG: f"{_PREFIX}customization",
    RUN_TAG: f"{_PREFIX}run",
    STAGE_TAG: f"{_PREFIX}stage",
    DIGEST_TAG: DIGEST,
}


def notes_of(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the annotations that say what the tags of a job say: customization, run, stage and request digest."""
    return {_ANNOTATIONS[name]: value for name, value in tags.items() if name in _ANNOTATIONS}


def tags_of(thing: Mapping[str, Any]) -> dict[str, str]:
    """Return what the annotations of an object say, in the words of the tags of a job."""
    return {tag: value for tag, name in _ANNOTATIONS.items() if (value := note(thing, name))}


def mark(thing: dict[str, Any], *, labels: Mapping[str, str], notes: Mapping[str, str]) -> None:
    """Add labels and annotations to an object."""
    metadata = thing["metadata"]
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **notes}


def listed(objects: Iterable[Mapping[str, Any]]) -> str:
    """Return the value of the annotation that lists objects."""
    return json.dumps([[each["kind"], each["metadata"]["name"]] for each in objects], separators=(",", ":"))


def objects_of(root: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return kind and name of every other object of a job, as its first object lists them."""
    return [(str(kind), str(name)) for kind, name in json.loads(note(root, OBJECTS) or "[]")]


def note(thing: Mapping[str, Any], name: str) -> str:
    """Return an annotation of an object, empty where it has none of that name."""
    return str((thing["metadata"].get("annotations") or {}).get(name, ""))


def job_of(thing: Mapping[str, Any]) -> str:
    """Return the name of the job that an object was made for, empty where it is of none."""
    return str((thing["metadata"].get("labels") or {}).get(JOB_LABEL, ""))


def is_of(thing: Mapping[str, Any], job: str, digest: str) -> bool:
    """Say whether an object was made for that job by that request."""
    return job_of(thing) == job and note(thing, DIGEST) == digest


def not_ours(kind: str, name: str, namespace: str) -> InvalidRequest:
    """Return the error for a name of one of a job's objects that something else has."""
    return InvalidRequest(
        f"{kind} {name} exists in namespace {namespace} and is not of this run (409): nothing of it was changed. "
        "Delete it, if nobody needs it, and run again."
    )
