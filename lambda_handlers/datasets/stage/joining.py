"""Make one S3 object of many, without carrying the large ones: S3 copies them part by part."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

LEAST_PART: Final = 5 * 1024 * 1024
"""S3 wants at least so many bytes of every part but the last (S3 user guide, multipart upload limits)."""
MOST_PART: Final = 512 * 1024 * 1024
"""S3 allows 5 GiB; smaller copies are shorter to repeat. At least twice LEAST_PART, so that what is left is enough."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredObject:
    """An object that lies in S3, with its size in bytes."""

    bucket: str
    key: str
    size: int


def join(s3: Any, parts: Sequence[StoredObject], *, bucket: str, key: str) -> None:
    """Write one object that holds the bytes of `parts`, in order; nothing appears and nothing stays when it fails."""
    if sum(part.size for part in parts) < LEAST_PART:
        body = b"".join(_read(s3, part, 0, part.size) for part in parts if part.size)
        s3.put_object(Bucket=bucket, Key=key, Body=body)
        return
    upload = _Upload(s3, bucket, key)
    try:
        for part in parts:
            upload.add(part)
        upload.complete()
    except BaseException:
        upload.abort()
        raise


class _Upload:
    """A multipart upload; bytes that are too few for a part wait for more."""

    def __init__(self, s3: Any, bucket: str, key: str) -> None:
        self._s3 = s3
        self._where = {"Bucket": bucket, "Key": key}
        self._id = s3.create_multipart_upload(**self._where)["UploadId"]
        self._etags: list[str] = []
        self._waiting = b""

    def add(self, part: StoredObject) -> None:
        start = 0
        while start < part.size:
            missing = LEAST_PART - len(self._waiting) if self._waiting else 0
            if part.size - start - missing < LEAST_PART:
                end = part.size
                self._carry(part, start, end)
            elif missing:
                end = start + missing
                self._carry(part, start, end)
            else:
                end = self._end_of_copy(part, start)
                self._copy(part, start, end)
            start = end

    def complete(self) -> None:
        self._flush()
        listed = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(self._etags, start=1)]
        self._s3.complete_multipart_upload(**self._where, UploadId=self._id, MultipartUpload={"Parts": listed})

    def abort(self) -> None:
        # The error that led here matters more; the bucket's lifecycle rule ends what is left.
        with suppress(ClientError):
            self._s3.abort_multipart_upload(**self._where, UploadId=self._id)

    def _end_of_copy(self, part: StoredObject, start: int) -> int:
        end = min(start + MOST_PART, part.size)
        return end if part.size - end >= LEAST_PART or end == part.size else end - LEAST_PART

    def _carry(self, part: StoredObject, start: int, end: int) -> None:
        self._waiting += _read(self._s3, part, start, end)
        if len(self._waiting) >= LEAST_PART:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            sent = self._s3.upload_part(
                **self._where, UploadId=self._id, PartNumber=len(self._etags) + 1, Body=self._waiting
            )
            self._etags.append(sent["ETag"])
            self._waiting = b""

    def _copy(self, part: StoredObject, start: int, end: int) -> None:
        copied = self._s3.upload_part_copy(
            **self._where,
            UploadId=self._id,
            PartNumber=len(self._etags) + 1,
            CopySource={"Bucket": part.bucket, "Key": part.key},
            CopySourceRange=f"bytes={start}-{end - 1}",
        )
        self._etags.append(copied["CopyPartResult"]["ETag"])


def _read(s3: Any, part: StoredObject, start: int, end: int) -> bytes:
    found = s3.get_object(Bucket=part.bucket, Key=part.key, Range=f"bytes={start}-{end - 1}")
    content: bytes = found["Body"].read()
    return content
