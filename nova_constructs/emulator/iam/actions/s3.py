"""Amazon S3: requests are told apart by method, path and query string, as the service itself does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final
from urllib.parse import parse_qs, unquote
from xml.etree import ElementTree

from nova_constructs.emulator.iam.actions.call import Encryption, Need
from nova_constructs.emulator.iam.actions.keys import object_key_needs
from nova_constructs.emulator.iam.actions.s3_request import SSE, S3Request
from nova_constructs.emulator.iam.errors import UnknownOperationError

_WRITE: Final = ("GenerateDataKey",)
_READ: Final = ("Decrypt",)
# "Multipart upload API and permissions" in the S3 user guide: parts are decrypted before the object is put together.
_MULTIPART: Final = ("GenerateDataKey", "Decrypt")

Row = Callable[[S3Request], Iterator[Need]]


def s3_needs(request: S3Request) -> list[Need]:
    """Give what a request needs; raises UnknownOperationError for one that the table does not have."""
    row = _row(request)
    if row is None:
        asked = "?" + "&".join(request.query) if request.query else ""
        level = "object" if request.key else "bucket" if request.bucket else "service"
        raise UnknownOperationError("s3", f"{request.method} {level}{asked}")
    return list(row(request))


def _row(request: S3Request) -> Row | None:
    rows = _OBJECT if request.key else _BUCKET if request.bucket else _SERVICE
    by_query = rows.get(request.method, {})
    named = next((name for name in by_query if name and name in request.query), None)
    unknown = set(request.query) & _SUBRESOURCES
    return by_query.get(named or "") if named or not unknown else None


def _object(action: str) -> Row:
    return lambda request: iter([request.on_object(action)])


def _bucket(action: str) -> Row:
    return lambda request: iter([request.on_bucket(action)])


def _versioned(action: str) -> Row:
    """Make the row of an action whose name says whether a version was asked for (GetObject, GetObjectVersion)."""
    verb, _, rest = action.partition("Object")
    return lambda request: iter(
        [request.on_object(f"{verb}ObjectVersion{rest}" if "versionId" in request.query else action)]
    )


def _read(request: S3Request) -> Iterator[Need]:
    yield from _versioned("GetObject")(request)
    yield from _absent(request)
    yield from object_key_needs(request.call, _encryption_of_object(request), _READ, request.bucket, request.key)


def _head(request: S3Request) -> Iterator[Need]:
    yield from _versioned("GetObject")(request)
    yield from _absent(request)


def _absent(request: S3Request) -> Iterator[Need]:
    """Ask for s3:ListBucket where the object does not exist: without it S3 answers 403 instead of 404."""
    if "versionId" not in request.query and not request.call.facts.object_exists(request.bucket, request.key):
        yield Need(action="s3:ListBucket", resource=request.bucket_arn)


def _write(request: S3Request) -> Iterator[Need]:
    if "x-amz-copy-source" in request.headers:
        yield from _copy_source(request)
    yield request.on_object("PutObject")
    if "x-amz-tagging" in request.headers:
        yield request.on_object("PutObjectTagging")
    if "x-amz-acl" in request.headers:
        yield request.on_object("PutObjectAcl")
    yield from object_key_needs(request.call, _encryption_of_write(request), _WRITE, request.bucket, request.key)


def _start_upload(request: S3Request) -> Iterator[Need]:
    yield request.on_object("PutObject")
    if "x-amz-tagging" in request.headers:
        yield request.on_object("PutObjectTagging")
    yield from object_key_needs(request.call, _encryption_of_write(request), _MULTIPART, request.bucket, request.key)


def _continue_upload(request: S3Request) -> Iterator[Need]:
    if "x-amz-copy-source" in request.headers:
        yield from _copy_source(request)
    yield request.on_object("PutObject")
    encryption = request.call.facts.upload_encryption(request.bucket, request.query["uploadId"])
    yield from object_key_needs(request.call, encryption, _MULTIPART, request.bucket, request.key)


def _copy_source(request: S3Request) -> Iterator[Need]:
    """Read the source of a copy, given as /bucket/key or bucket/key with an optional ?versionId."""
    path, _, query = request.headers["x-amz-copy-source"].partition("?")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    versions = parse_qs(query)
    source = S3Request(
        call=request.call,
        method="GET",
        bucket=bucket,
        key=key,
        query={name: values[0] for name, values in versions.items()},
        headers={},
    )
    yield from _read(source)


def _attributes(request: S3Request) -> Iterator[Need]:
    yield from _versioned("GetObject")(request)
    yield from _versioned("GetObjectAttributes")(request)


def _delete_many(request: S3Request) -> Iterator[Need]:
    """Read the keys of a DeleteObjects request; the service checks each of them by itself."""
    for item in ElementTree.fromstring(request.body).iter():
        if item.tag.rpartition("}")[2] != "Object":
            continue
        named = {child.tag.rpartition("}")[2]: child.text or "" for child in item}
        action = "DeleteObjectVersion" if named.get("VersionId") else "DeleteObject"
        yield Need(action=f"s3:{action}", resource=f"{request.bucket_arn}/{named['Key']}", context=request.context)


def _encryption_of_object(request: S3Request) -> Encryption | None:
    return request.call.facts.object_encryption(request.bucket, request.key, request.query.get("versionId"))


def _encryption_of_write(request: S3Request) -> Encryption | None:
    asked = request.headers.get(SSE)
    default = request.call.facts.bucket_encryption(request.bucket)
    if asked is None:
        return default
    key_id = request.headers.get(f"{SSE}-aws-kms-key-id")
    if not asked.startswith("aws:kms") or (key_id is None and default is None):
        return None
    if key_id is None:
        return default
    key_arn = request.call.facts.key_arn(key_id)
    with_bucket_key = request.headers.get(f"{SSE}-bucket-key-enabled", "").lower() == "true"
    return Encryption(key_arn=key_arn, bucket_key=with_bucket_key) if key_arn else None


_SERVICE: Final[Mapping[str, Mapping[str, Row]]] = {
    "GET": {"": lambda _request: iter([Need(action="s3:ListAllMyBuckets", resource="*")])}
}
_BUCKET: Final[Mapping[str, Mapping[str, Row]]] = {
    "HEAD": {"": _bucket("ListBucket")},
    "GET": {
        "versions": _bucket("ListBucketVersions"),
        "uploads": _bucket("ListBucketMultipartUploads"),
        "location": _bucket("GetBucketLocation"),
        "versioning": _bucket("GetBucketVersioning"),
        "policy": _bucket("GetBucketPolicy"),
        "tagging": _bucket("GetBucketTagging"),
        "encryption": _bucket("GetEncryptionConfiguration"),
        "notification": _bucket("GetBucketNotification"),
        "lifecycle": _bucket("GetLifecycleConfiguration"),
        "publicAccessBlock": _bucket("GetBucketPublicAccessBlock"),
        "": _bucket("ListBucket"),
    },
    "PUT": {
        "policy": _bucket("PutBucketPolicy"),
        "versioning": _bucket("PutBucketVersioning"),
        "tagging": _bucket("PutBucketTagging"),
        "encryption": _bucket("PutEncryptionConfiguration"),
        "notification": _bucket("PutBucketNotification"),
        "lifecycle": _bucket("PutLifecycleConfiguration"),
        "publicAccessBlock": _bucket("PutBucketPublicAccessBlock"),
        "": _bucket("CreateBucket"),
    },
    "DELETE": {"policy": _bucket("DeleteBucketPolicy"), "": _bucket("DeleteBucket")},
    "POST": {"delete": _delete_many},
}
_OBJECT: Final[Mapping[str, Mapping[str, Row]]] = {
    "HEAD": {"": _head},
    "GET": {
        "uploadId": _object("ListMultipartUploadParts"),
        "tagging": _versioned("GetObjectTagging"),
        "attributes": _attributes,
        "acl": _versioned("GetObjectAcl"),
        "retention": _object("GetObjectRetention"),
        "legal-hold": _object("GetObjectLegalHold"),
        "": _read,
    },
    "PUT": {
        "uploadId": _continue_upload,
        "tagging": _versioned("PutObjectTagging"),
        "acl": _versioned("PutObjectAcl"),
        "retention": _object("PutObjectRetention"),
        "legal-hold": _object("PutObjectLegalHold"),
        "": _write,
    },
    "POST": {"uploads": _start_upload, "uploadId": _continue_upload},
    "DELETE": {
        "uploadId": _object("AbortMultipartUpload"),
        "tagging": _versioned("DeleteObjectTagging"),
        "": _versioned("DeleteObject"),
    },
}
# Query names that select another operation: with one that has no row the request is unknown, not the plain one.
_SUBRESOURCES: Final = frozenset(
    (
        "accelerate", "acl", "analytics", "attributes", "cors", "delete", "encryption", "intelligent-tiering",
        "inventory", "legal-hold", "lifecycle", "location", "logging", "metadataTable", "metrics", "notification",
        "object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock", "renameObject",
        "replication", "requestPayment", "restore", "retention", "select", "select-type", "session", "tagging",
        "torrent", "uploadId", "uploads", "versioning", "versions", "website",
    )
)  # fmt: skip
