"""Two CreateTrainingJob requests side by side: ours as it leaves the machine, and where it differs from another."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
from botocore.awsrequest import AWSResponse

from lambda_handlers.jobs import training_jobs

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "oracle-differences.md"
ROLE = "arn:aws:iam::111122223333:role/Exec"
KEY = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555"
CHECKPOINT = "s3://customer-escrow-111122223333-smtj-abc123/job/step_4"
SCORER = "arn:aws:lambda:us-east-1:111122223333:function:scorer"
OUTPUT = "s3://my-out/prefix"
RECIPE_PREFIX = "s3://artifacts/runs/run-1/training/recipe/"
JOB_NAME = "demo-0123456789"
_TAGS = {"nova-constructs:run": "run-1"}


def sent(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request that the driver of training jobs sends for a body, after botocore has checked it."""
    bodies: list[bytes] = []

    def answer(request: Any, **_: object) -> AWSResponse:
        bodies.append(request.body)
        return AWSResponse(request.url, 200, {}, _Raw(b'{"TrainingJobArn": "arn:aws:sagemaker:us-east-1:1:x/y"}'))

    client, event = _client(), "before-send.sagemaker.CreateTrainingJob"
    client.meta.events.register(event, answer)
    try:
        with patch.object(training_jobs, "client", return_value=client):
            training_jobs.TrainingJobs().create(JOB_NAME, body, "digest", _TAGS)
    finally:
        client.meta.events.unregister(event, answer)
    [found] = bodies
    return dict(json.loads(found))


@cache
def _client() -> Any:
    session = boto3.Session("key", "secret", region_name="us-east-1")
    return session.client("sagemaker", endpoint_url="http://localhost:1")  # nothing is sent there either


class _Raw(io.BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> set[str]:
    """Return the paths of the members that are not equal, or are in one request only."""
    left, right, absent = dict(_flat(ours)), dict(_flat(theirs)), object()
    return {path for path in left | right if left.get(path, absent) != right.get(path, absent)}


def members(request: Mapping[str, Any]) -> int:
    """Return how many members of a request are compared."""
    return len(list(_flat(request)))


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every leaf with its path; channels go by their names, so that order does not matter."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else key)
    elif path == "InputDataConfig":
        for item in value:
            yield from _flat(item, f"{path}[{item['ChannelName']}]")
    else:
        yield path, value


def channels(request: Mapping[str, Any]) -> list[str]:
    """Return the names of a request's channels in their order."""
    return [channel["ChannelName"] for channel in request["InputDataConfig"]]


def written_down() -> set[str]:
    """Return the members that the document lets differ."""
    return set(re.findall(r"^\| `([^`]+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE))


def all_differences(pairs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> set[str]:
    """Return the members that differ in any of several pairs of requests."""
    return set().union(*(differences(ours, theirs) for ours, theirs in pairs))
