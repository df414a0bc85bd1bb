"""A request to Amazon S3 as its authorization sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from nova_constructs.emulator.iam.actions.call import ApiCall, ContextValues, Need

SSE = "x-amz-server-side-encryption"
# Condition keys named after the header that they carry.
_HEADER_KEYS: Final = (
    "x-amz-acl", "x-amz-content-sha256", "x-amz-copy-source", "x-amz-metadata-directive", SSE,
    f"{SSE}-aws-kms-key-id", "x-amz-storage-class", "if-match", "if-none-match",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Request:
    """An S3 request; `query` holds the query string, where a key without a value has the empty string."""

    call: ApiCall
    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def bucket_arn(self) -> str:
        """Give the bucket's ARN."""
        return f"arn:{self.call.partition}:s3:::{self.bucket}"

    @property
    def object_arn(self) -> str:
        """Give the object's ARN."""
        return f"{self.bucket_arn}/{self.key}"

    @property
    def context(self) -> ContextValues:
        """Give the condition keys of the service."""
        headers = {f"s3:{name}": self.headers.get(name) for name in _HEADER_KEYS}
        query = {f"s3:{name}": self.query.get(name) for name in ("prefix", "delimiter", "max-keys")}
        transport = {"s3:TlsVersion": "1.3", "s3:authType": "REST-HEADER", "s3:signatureversion": "AWS4-HMAC-SHA256"}
        return {**headers, **query, **transport, "s3:VersionId": self.query.get("versionId")}

    def on_object(self, action: str) -> Need:
        """Give the need of an action on this object."""
        return Need(action=f"s3:{action}", resource=self.object_arn, context=self.context)

    def on_bucket(self, action: str) -> Need:
        """Give the need of an action on this bucket."""
        return Need(action=f"s3:{action}", resource=self.bucket_arn, context=self.context)
