"""Where an object is: an s3:// address, or an access point's ARN with a key."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_S3_URI: Final = re.compile(r"s3://([a-zA-Z0-9.\-_]+)/(.+)")
_ACCESS_POINT: Final = re.compile(r"(?:s3://)?(arn:aws[\w-]*:s3:[^:]+:[^:]+:accesspoint/[^/]+)/(.+)")


class ObjectPlace(NamedTuple):
    """Hold what GetObject takes: a bucket's name or an access point's ARN, and a key."""

    bucket: str
    key: str


def object_place(uri: str) -> ObjectPlace | None:
    """Return where an address points, or None where it is not the location of an object."""
    match = _ACCESS_POINT.fullmatch(uri) or _S3_URI.fullmatch(uri)
    return ObjectPlace(match[1], match[2]) if match else None
