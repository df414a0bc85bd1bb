"""Archives as training jobs leave them, in a store that answers as S3 does."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

URI = "s3://artifacts-bucket/runs/run-1/jobs/job-1/output/output.tar.gz"
FOLDER = "s3://artifacts-bucket/runs/run-1/jobs/job-1"
"""What a job of HyperPod leaves in the place of an archive."""
RUN = {
    "id": "run-1",
    "execution_arn": "arn:e",
    "state_machine_arn": "arn:s",
    "started_at": "2026-01-01T00:00:00Z",
    "lock_generation": 1,
}


class MemoryS3:
    """Hold objects by their s3:// address."""

    def __init__(self, objects: Mapping[str, bytes] | None = None) -> None:
        self.objects = dict(objects or {})

    def get_paginator(self, operation: str) -> MemoryS3:
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - boto3's names
        """Yield what is below a prefix, two objects to a page; a page of nothing has no Contents."""
        root = f"s3://{Bucket}/"
        keys = sorted(uri.removeprefix(root) for uri in self.objects if uri.startswith(root + Prefix))
        listed = [{"Key": key, "Size": len(self.objects[root + key]), "ETag": '"e"'} for key in keys]
        yield from ({"Contents": listed[at : at + 2]} for at in range(0, len(listed), 2)) if listed else [{}]

    def get_object(self, **request: Any) -> Any:
        uri = f"s3://{request['Bucket']}/{request['Key']}"
        if uri not in self.objects:
            answer: Any = {"Error": {"Code": "NoSuchKey"}, "ResponseMetadata": {"HTTPStatusCode": 404}}
            raise ClientError(answer, "GetObject")
        content = self.objects[uri]
        return {"Body": StreamingBody(io.BytesIO(content), len(content)), "ETag": '"e"'}

    def put_object(self, **request: Any) -> None:
        self.objects[f"s3://{request['Bucket']}/{request['Key']}"] = request["Body"]


class Recorder:
    """Keep the events that would go to the ledger."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def append(self, **event: Any) -> Mapping[str, Any]:
        self.events.append(event)
        return {"seq": len(self.events), "hash": ""}


def archive(files: Mapping[str, bytes], *special: tarfile.TarInfo) -> bytes:
    """Return a tar.gz of files, with members of other kinds before them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member in special:
            tar.addfile(member)
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """Return a link as a member."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def giant_header() -> bytes:
    """Return an archive whose extended header claims four gigabytes."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 4 * 1024**3
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 10240)
