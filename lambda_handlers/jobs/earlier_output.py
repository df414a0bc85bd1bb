"""Whether what an earlier run has left is still there: found by listing, which shows no content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.errors import service_errors


def output_is_there(output: Mapping[str, Any]) -> bool:
    """Say whether the archive that a job left is there, or something in the folder that it left (s3:ListBucket)."""
    return is_there(client("s3"), str(output["output_uri"]))


def is_there(s3: Any, uri: str, *, size: int | None = None) -> bool:
    """Say whether an object is there, of this size where one is given, or anything in a folder of that address."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    with service_errors():
        found = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents") or []
    if size is not None:
        return any(each["Key"] == key and each["Size"] == size for each in found)
    return any(f"{each['Key']}/".startswith(f"{key.removesuffix('/')}/") for each in found)
