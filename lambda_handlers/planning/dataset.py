"""Pin the dataset of a run: one version of one object, known by the SHA-256 of its content."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any, Final

from lambda_handlers.datasets import s3_objects
from lambda_handlers.protocol.errors import InvalidRequest, error_code, service_errors

_REASONS: Final = {
    "404": "it does not exist",
    "NoSuchKey": "it does not exist",
    "NoSuchBucket": "the bucket does not exist",
    "NoSuchVersion": "it has no such version",
    "400": "it has no such version, or its key cannot be used",
    "InvalidArgument": "it has no such version",
    "405": "the version is a delete marker",
    "MethodNotAllowed": "the version is a delete marker",
    "403": "access is denied, or it does not exist",
    "AccessDenied": "access is denied, or it does not exist",
    "InvalidObjectState": "it is archived; restore it first",
    "PreconditionFailed": "it changed while it was read",
}


MOST_BYTES: Final = 8 * 2**30
"""What one function reads, transforms and writes in its 15 minutes, with room to spare."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PinnedDataset:
    """One version of one object; size in bytes, SHA-256 of the content in hexadecimal."""

    uri: str
    bucket: str
    key: str
    version_id: str | None
    sha256: str
    bytes: int

    def as_dict(self) -> dict[str, Any]:
        """Return the form that travels in the plan."""
        return asdict(self)


def pin(s3: Any, uri: str, version_id: str | None) -> PinnedDataset:
    """Fix the version of a dataset and hash it; raise InvalidRequest if it is missing, unreadable or empty."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    version = find(s3, uri, version_id, most=MOST_BYTES)
    try:
        with service_errors():
            digest = hashlib.sha256()
            size = 0
            for chunk in s3_objects.chunks(s3, bucket=bucket, key=key, version_id=version):
                digest.update(chunk)
                size += len(chunk)
    except Exception as error:
        raise _unreadable(uri, version, error) from error
    return PinnedDataset(uri=uri, bucket=bucket, key=key, version_id=version, sha256=digest.hexdigest(), bytes=size)


def find(
    s3: Any, uri: str, version_id: str | None = None, *, what: str = "dataset", most: int | None = None
) -> str | None:
    """Return the version of an object to read; raise InvalidRequest if it is missing, unreadable or empty."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    version = {"VersionId": version_id} if version_id else {}
    try:
        with service_errors():
            found = s3.head_object(Bucket=bucket, Key=key, **version)
    except Exception as error:
        raise _unreadable(uri, version_id, error, what) from error
    if not found["ContentLength"]:
        raise InvalidRequest(f"The {what} {uri} is empty (0 bytes).")
    if most and found["ContentLength"] > most:
        size = f"{found['ContentLength'] / 2**30:.1f} GiB"
        raise InvalidRequest(f"The {what} {uri} has {size}; at most {most / 2**30:.0f} GiB can be prepared: split it.")
    return version_id or found.get("VersionId")


def _unreadable(uri: str, version_id: str | None, error: Exception, what: str = "dataset") -> Exception:
    reason = _REASONS.get(error_code(error))
    if reason is None:
        return error
    version = f" (version {version_id})" if version_id else ""
    return InvalidRequest(f"The {what} {uri}{version} cannot be read: {reason}.")
