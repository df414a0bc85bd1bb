"""Read and write S3 objects as streams, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from lambda_handlers.datasets.reading.source_format import ALLOWED, check_one_kind, kind_of
from lambda_handlers.protocol.errors import DataPreparationFailed, InvalidRequest, error_code

CHUNK: Final = 1024 * 1024
PART: Final = 8 * 1024 * 1024
_RESUMES: Final = 5
_BROKEN: Final = (ConnectionClosedError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError)


_GONE: Final = ("NoSuchKey", "NoSuchVersion", "NoSuchBucket", "404", "PreconditionFailed", "412")


@dataclass(frozen=True, kw_only=True, slots=True)
class S3Object:
    """One object as it was when it was found, read by its version where the bucket has versions, else by its ETag."""

    s3: Any = field(repr=False, compare=False)
    bucket: str
    key: str
    version_id: str | None
    size: int
    etag: str | None = None

    @property
    def uri(self) -> str:
        """Return the s3:// address."""
        return f"s3://{self.bucket}/{self.key}"

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """Yield the bytes from `start` to the end, in pieces of up to 1 MiB.

        Raises DataPreparationFailed when what was found is no longer there.
        """
        if start >= self.size > 0:
            return
        try:
            yield from chunks(
                self.s3, bucket=self.bucket, key=self.key, version_id=self.version_id, start=start, etag=self.etag
            )
        except ClientError as error:
            if error_code(error) not in _GONE:
                raise
            raise vanished(self.uri, error) from error


def vanished(uri: str, error: ClientError) -> DataPreparationFailed:
    """Make the error for an object that is not there any more as it was found."""
    return DataPreparationFailed(
        f"the dataset {uri} changed or vanished while it was read ({error_code(error)}): run again when it is whole"
    )


def find(s3: Any, uri: str) -> list[S3Object]:
    """Return the objects that an s3:// address stands for: the one, or the data directly under a prefix, by name.

    An address that ends in `/` is a prefix, and one without an object of that name as well. Under a prefix, names that
    begin with `.` or `_`, further prefixes, and names that tell no format are left out. Raises InvalidRequest if
    nothing is there, if nothing there can be read, and for a prefix with several kinds.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket:
        raise InvalidRequest(f"{uri!r} is not the address of a dataset in S3: it has the form s3://bucket/key")
    try:
        single = _found(s3, bucket, key) if key and not key.endswith("/") else None
        return [single] if single else _under(s3, bucket, f"{key.removesuffix('/')}/" if key else "", uri)
    except ClientError as error:
        code = error_code(error)
        if code in _GONE:
            raise InvalidRequest(
                f"the dataset {uri} cannot be found ({code}): check the names of the bucket and the object"
            ) from error
        if code in ("AccessDenied", "403"):
            raise InvalidRequest(
                f"the dataset {uri} cannot be read ({code}): allow s3:GetObject on it, and s3:ListBucket on its bucket"
            ) from error
        raise


def _under(s3: Any, bucket: str, prefix: str, uri: str) -> list[S3Object]:
    # Here, since functions that only copy objects use this module too, and they ship without what forms need.
    from lambda_handlers.datasets.earlier_outputs import MANIFEST, check_no_preparation

    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
    keys = [each["Key"] for page in pages for each in page.get("Contents", ())]
    names = sorted(name for key in keys if (name := key.removeprefix(prefix)) and name[0] not in "._")
    data = [name for name in names if kind_of(name)]
    if not data:
        what = f"none of the {len(names)} objects directly under it ends in {ALLOWED}" if names else "nothing is there"
        raise InvalidRequest(f"the dataset {uri} cannot be read: {what}")
    check_no_preparation(uri, data, lambda: bytes(s3.get_object(Bucket=bucket, Key=prefix + MANIFEST)["Body"].read()))
    check_one_kind(uri, data)
    # One that is deleted between the listing and the question for its version is no longer of the prefix.
    return [found for name in data if (found := _found(s3, bucket, prefix + name))]


def _found(s3: Any, bucket: str, key: str) -> S3Object | None:
    try:
        head = s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error_code(error) in ("404", "NoSuchKey"):
            return None
        raise
    return S3Object(
        s3=s3,
        bucket=bucket,
        key=key,
        version_id=head.get("VersionId"),
        etag=head["ETag"],
        size=head["ContentLength"],
    )


def chunks(
    s3: Any, *, bucket: str, key: str, version_id: str | None, start: int = 0, etag: str | None = None
) -> Iterator[bytes]:
    """Yield the bytes of one version of an object, going on after a broken connection where it stopped.

    Raises ClientError, PreconditionFailed where the object has another ETag than the one given or first seen.
    """
    position, resumes, end = start, 0, None
    while end is None or position < end:
        response = _open(s3, bucket, key, version_id, position, etag)
        etag = response["ETag"]
        end = position + response["ContentLength"] if "ContentLength" in response else None
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
    request = {"VersionId": version_id} if version_id else {}
    if position:
        request["Range"] = f"bytes={position}-"
    if etag:
        request["IfMatch"] = etag
    return s3.get_object(Bucket=bucket, Key=key, **request)


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
