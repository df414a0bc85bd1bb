"""Read and write S3 objects as streams, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

CHUNK: Final = 1024 * 1024
PART: Final = 8 * 1024 * 1024
_RESUMES: Final = 5
_BROKEN: Final = (ConnectionClosedError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError)


def chunks(s3: Any, *, bucket: str, key: str, version_id: str | None) -> Iterator[bytes]:
    """Yield the bytes of one version of an object, going on after a broken connection where it stopped."""
    position, etag, resumes = 0, None, 0
    while True:
        response = _open(s3, bucket, key, version_id, position, etag)
        etag = response["ETag"]
        try:
            for chunk in response["Body"].iter_chunks(CHUNK):
                position += len(chunk)
                yield chunk
            return
        except _BROKEN:
            resumes += 1
            if resumes > _RESUMES:
                raise
        finally:
            response["Body"].close()


def _open(s3: Any, bucket: str, key: str, version_id: str | None, position: int, etag: str | None) -> Any:
    version = {"VersionId": version_id} if version_id else {}
    rest = {"Range": f"bytes={position}-", "IfMatch": etag} if position else {}
    return s3.get_object(Bucket=bucket, Key=key, **version, **rest)


class S3Sink:
    """Write an object by multipart upload, or by one put when it is small; `abort` leaves nothing behind."""

    def __init__(self, s3: Any, *, bucket: str, key: str, part_bytes: int = PART) -> None:
        self._s3 = s3
        self._where = {"Bucket": bucket, "Key": key}
        self._part_bytes = part_bytes
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._parts: list[dict[str, Any]] = []

    @property
    def uri(self) -> str:
        """Return the s3:// address of the object."""
        return f"s3://{self._where['Bucket']}/{self._where['Key']}"

    def write(self, data: bytes) -> None:
        """Take the next bytes; upload a part when enough have come together."""
        self._buffer += data
        while len(self._buffer) >= self._part_bytes:
            self._upload_part(self._part_bytes)

    def close(self) -> None:
        """Make the object visible."""
        if self._upload_id is None:
            self._s3.put_object(**self._where, Body=bytes(self._buffer))
            return
        if self._buffer:
            self._upload_part(len(self._buffer))
        self._s3.complete_multipart_upload(
            **self._where, UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}
        )
        self._upload_id = None

    def abort(self) -> None:
        """Give up the upload, if one was begun."""
        if self._upload_id is None:
            return
        try:
            self._s3.abort_multipart_upload(**self._where, UploadId=self._upload_id)
        except ClientError:
            # The error that led here matters more; the bucket's lifecycle rule ends what is left.
            return

    def _upload_part(self, size: int) -> None:
        if self._upload_id is None:
            self._upload_id = self._s3.create_multipart_upload(**self._where)["UploadId"]
        number = len(self._parts) + 1
        part = self._s3.upload_part(
            **self._where, UploadId=self._upload_id, PartNumber=number, Body=bytes(self._buffer[:size])
        )
        self._parts.append({"PartNumber": number, "ETag": part["ETag"]})
        del self._buffer[:size]
