"""Where an object is: an s3:// address, or an access point's ARN with a key; and what it holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

from lambda_handlers.protocol.errors import RecipeInvalid, error_code, service_errors

_S3_URI: Final = re.compile(r"s3://([a-zA-Z0-9.\-_]+)/(.+)")
_ACCESS_POINT: Final = re.compile(r"(?:s3://)?(arn:aws[\w-]*:s3:[^:]+:[^:]+:accesspoint/[^/]+)/(.+)")
_MISSING: Final = ("NoSuchKey", "NoSuchBucket", "404")
_DENIED: Final = ("AccessDenied", "AllAccessDisabled", "403")


class ObjectApi(Protocol):
    """Describe the part of the S3 client that is used here."""

    def get_object(self, **request: Any) -> Mapping[str, Any]:
        """Return an object with its body."""


class ObjectPlace(NamedTuple):
    """Hold what GetObject takes: a bucket's name or an access point's ARN, and a key."""

    bucket: str
    key: str


def object_place(uri: str) -> ObjectPlace | None:
    """Return where an address points, or None where it is not the location of an object."""
    match = _ACCESS_POINT.fullmatch(uri) or _S3_URI.fullmatch(uri)
    return ObjectPlace(match[1], match[2]) if match else None


def read_object(s3: ObjectApi, place: ObjectPlace, *, missing: str, denied: str, limit: int | None = None) -> bytes:
    """Return the bytes of an object, the first `limit` of them.

    Raises:
        RecipeInvalid: It does not exist or may not be read, in the words given for it.
        TransientServiceError: The service could not answer now.
    """
    try:
        with service_errors():
            return bytes(s3.get_object(Bucket=place.bucket, Key=place.key)["Body"].read(limit))
    except Exception as error:
        if error_code(error) in _MISSING:
            raise RecipeInvalid(missing) from error
        if error_code(error) in _DENIED:
            raise RecipeInvalid(denied) from error
        raise
