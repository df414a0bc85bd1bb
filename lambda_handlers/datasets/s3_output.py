"""A prefix of S3 that takes the outputs of a preparation; nothing else there is touched."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from botocore.exceptions import ClientError

from lambda_handlers.datasets.earlier_outputs import MANIFEST, QUARANTINE, outputs_in
from lambda_handlers.datasets.s3_objects import S3Sink
from lambda_handlers.protocol.errors import InvalidRequest, error_code

_ABSENT = ("404", "NoSuchKey", "NotFound")


def check_apart(output: str, given: Iterable[str]) -> None:
    """Raise InvalidRequest if the output prefix is one of the addresses that are given to be read."""
    for each in given:
        if each.startswith("s3://") and each.rstrip("/") == output.rstrip("/"):
            raise InvalidRequest(
                f"the output prefix {output} is an input as well: its outputs would be input the next time; "
                "choose another prefix"
            )


class OutputPrefix:
    """Outputs are uploaded while they are made and become visible one after the other in `commit`, the manifest last.

    An output of an earlier run, which the manifest there names, is replaced; where it is not made now, it is removed.
    Raises InvalidRequest, before anything is written, when an output would replace an object that is not ours, or that
    is one of `inputs`.
    """

    def __init__(self, s3: Any, uri: str, names: Iterable[str], *, inputs: Iterable[str]) -> None:
        self._s3 = s3
        self._bucket, self._prefix = bucket_and_prefix(uri)
        self._names = [*names, QUARANTINE]
        self._sinks: list[_HeldSink] = []
        self._earlier = self._earlier_outputs()
        self._check(set(inputs))

    def __enter__(self) -> Self:
        self._scratch = tempfile.TemporaryDirectory(prefix="nova-data-")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scratch.cleanup()
        for sink in self._sinks:
            sink.abort()

    def sink(self, name: str) -> _HeldSink:
        """Return where to write an output."""
        self._sinks.append(_HeldSink(S3Sink(self._s3, bucket=self._bucket, key=self._prefix + name)))
        return self._sinks[-1]

    def scratch(self, name: str) -> Path:
        """Return an empty local folder that goes with this object."""
        folder = Path(self._scratch.name) / name
        folder.mkdir()
        return folder

    def commit(self, manifest: bytes) -> str:
        """Make the outputs visible, remove earlier ones that were not made again, and write the manifest."""
        for sink in self._sinks:
            sink.release()
        for name in sorted(self._earlier.difference(self._names)):
            self._s3.delete_object(Bucket=self._bucket, Key=self._prefix + name)
        self._s3.put_object(Bucket=self._bucket, Key=self._prefix + MANIFEST, Body=manifest)
        return self._uri(MANIFEST)

    def _uri(self, name: str) -> str:
        return f"s3://{self._bucket}/{self._prefix}{name}"

    def _earlier_outputs(self) -> set[str]:
        try:
            return outputs_in(self._s3.get_object(Bucket=self._bucket, Key=self._prefix + MANIFEST)["Body"].read())
        except ClientError as error:
            if error_code(error) in _ABSENT:
                return set()
            raise

    def _check(self, inputs: set[str]) -> None:
        for name in sorted({*self._names, MANIFEST, *self._earlier}):
            if self._uri(name) in inputs:
                raise InvalidRequest(f"the output {self._uri(name)} would replace an input; choose another prefix")
        ours = {*self._earlier, *([MANIFEST] if self._earlier else [])}
        for name in sorted({*self._names, MANIFEST} - ours):
            if self._exists(name):
                raise InvalidRequest(
                    f"{self._uri(name)} is not an output of an earlier preparation and would be replaced; "
                    "move it away or choose another prefix"
                )

    def _exists(self, name: str) -> bool:
        try:
            self._s3.head_object(Bucket=self._bucket, Key=self._prefix + name)
        except ClientError as error:
            if error_code(error) in _ABSENT:
                return False
            raise
        return True


class _HeldSink:
    """An upload that is finished when all are; what is closed before stays invisible until `release`."""

    def __init__(self, sink: S3Sink) -> None:
        self._sink = sink
        self._released = False

    @property
    def uri(self) -> str:
        """Return the s3:// address of the object."""
        return self._sink.uri

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._sink.write(data)

    def close(self) -> None:
        """Wait for the others."""

    def abort(self) -> None:
        """Give the upload up, unless it was released."""
        if not self._released:
            self._sink.abort()

    def release(self) -> None:
        """Make the object visible."""
        self._sink.close()
        self._released = True


def bucket_and_prefix(uri: str) -> tuple[str, str]:
    """Return bucket and key prefix of an s3:// address that stands for a folder; the prefix is empty or ends in /."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    if not bucket:
        raise InvalidRequest(f"the output {uri!r} names no bucket: write s3://BUCKET/PREFIX/")
    return bucket, f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
