"""Amazon S3 where moto differs: copy preconditions, and ETags of objects encrypted with AWS KMS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse
from uuid import uuid4

from moto.s3.exceptions import PreconditionFailed
from moto.s3.models import FakeKey, S3Backend
from moto.s3.responses import S3Response

from nova_constructs.emulator.patches import Patches
from nova_constructs.emulator.simulators.state import SimulatorState, Undo

_KMS = {"aws:kms", "aws:kms:dsse"}


def install(_state: SimulatorState) -> Undo:
    """Check copy preconditions and give objects under KMS an ETag that says nothing of their content."""
    patches = Patches()
    patches.replace(S3Response, "copy_object", _checked(S3Response.copy_object))
    patches.replace(S3Response, "upload_part_copy", _checked(S3Response.upload_part_copy))
    patches.replace(S3Backend, "put_object", _with_opaque_etag(S3Backend.put_object))
    return patches.undo


def _checked(original: Any) -> Any:
    def method(self: Any) -> Any:
        path = self.headers.get("x-amz-copy-source")
        source = urlparse(path.decode() if isinstance(path, bytes) else path)
        bucket, key = unquote(source.path).lstrip("/").split("/", 1)
        version = parse_qs(source.query).get("versionId", [None])[0]
        found = self.backend.get_object(bucket, key, version_id=version)
        if found is not None:
            _check_source(found, self.headers)
        return original(self)

    return method


def _check_source(source: FakeKey, headers: Mapping[str, str]) -> None:
    """Refuse a copy as S3 does when the source is not the expected one; quotes around an ETag do not matter."""
    etag = source.etag.strip('"')
    wanted, unwanted = (headers.get(f"x-amz-copy-source-if-{name}") for name in ("match", "none-match"))
    if wanted is not None and etag not in _etags(wanted) and wanted.strip() != "*":
        raise PreconditionFailed("x-amz-copy-source-If-Match")
    if unwanted is not None and (etag in _etags(unwanted) or unwanted.strip() == "*"):
        raise PreconditionFailed("x-amz-copy-source-If-None-Match")


def _etags(header: str) -> set[str]:
    return {part.strip().strip('"') for part in header.split(",")}


def _with_opaque_etag(original: Any) -> Any:
    def opaque(self: Any, *args: Any, etag: str | None = None, **kwargs: Any) -> FakeKey:
        """Choose the ETag before the object exists, so that events and answers agree on it."""
        if _encryption(self, args, kwargs) in _KMS:
            parts = etag.rpartition("-")[2] if etag and "-" in etag else None
            etag = f"{uuid4().hex}-{parts}" if parts else uuid4().hex
        key: FakeKey = original(self, *args, etag=etag, **kwargs)
        return key

    return opaque


def _encryption(backend: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    if kwargs.get("encryption"):
        return str(kwargs["encryption"])
    bucket = backend.get_bucket(kwargs.get("bucket_name") or args[0])
    rule = (bucket.encryption or {}).get("Rule") or {}
    default = (rule.get("ApplyServerSideEncryptionByDefault") or {}).get("SSEAlgorithm")
    return str(default) if default else None
