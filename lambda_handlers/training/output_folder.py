"""Read files from the folder of a HyperPod job in S3: as streams, within the limits of an archive, and as they were."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import IO, Any, cast

from lambda_handlers.datasets import s3_objects
from lambda_handlers.protocol.errors import error_code, service_errors
from lambda_handlers.training.output_archive import ABSENT, ArchiveError, Limits, Visit, strange_path, too_large

_CHANGED = ("PreconditionFailed", "412")


def walk(s3: Any, uri: str, visit: Visit, *, limits: Limits | None = None) -> None:
    """Show each object below a folder to `visit`, by its path below the folder, in the order of their keys.

    Only what `visit` reads is fetched. Raises ArchiveError naming the folder and what is wrong: nothing is there, it is
    too large, a path that leaves it, or an object that changed or vanished after it was listed.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    prefix, bounds = f"{key.removesuffix('/')}/", limits or Limits()
    found = _listed(s3, bucket, prefix, uri, bounds)
    if not found:
        raise ArchiveError(f"{uri} is empty: the job wrote nothing there")
    for each in found:
        name = each["Key"].removeprefix(prefix)
        if strange := strange_path(name):
            raise ArchiveError(f"{uri} holds {name!r}, which is {strange}: nothing of it is used")
        content = _Object(_chunks(s3, bucket, each))
        try:
            visit(name, cast(IO[bytes], io.BufferedReader(content)), each["Size"])
        except ArchiveError as error:
            raise ArchiveError(f"{uri} {error}") from error


def _listed(s3: Any, bucket: str, prefix: str, uri: str, limits: Limits) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    total = 0
    try:
        with service_errors():
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                # A key that ends in a slash is the folder itself, as consoles make it.
                objects = [each for each in page.get("Contents", ()) if not each["Key"].endswith("/")]
                found += objects
                total += sum(each["Size"] for each in objects)
                if total > limits.total or len(found) > limits.members:
                    raise ArchiveError(f"{uri} {too_large(limits)}")
    except ArchiveError:
        raise
    except Exception as error:
        if error_code(error) not in ABSENT:
            raise
        raise ArchiveError(f"{uri} does not exist, or may not be listed") from error
    return found


def _chunks(s3: Any, bucket: str, listed: Mapping[str, Any]) -> Iterator[bytes]:
    try:
        with service_errors():
            yield from s3_objects.chunks(s3, bucket=bucket, key=listed["Key"], version_id=None, etag=listed["ETag"])
    except Exception as error:
        code = error_code(error)
        if code in _CHANGED:
            raise ArchiveError(f"holds {listed['Key']}, which was written again while it was read") from error
        if code not in ABSENT:
            raise
        raise ArchiveError(f"holds {listed['Key']}, which vanished, or may not be read") from error


class _Object(io.RawIOBase):
    """Give the bytes of an iterator as a file that is fetched when it is first read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)
