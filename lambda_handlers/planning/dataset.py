"""Pin the dataset of a run: one version of each of its objects, known by the SHA-256 of the content."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from lambda_handlers.datasets import s3_objects
from lambda_handlers.datasets.passes.manifest import ReadObject
from lambda_handlers.datasets.reading.source_format import ALLOWED, check_one_kind, kind_of
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
"""What one function reads, transforms and writes in its 15 minutes, with room to spare: an object that is not cut."""
MOST_BYTES_CUT: Final = 32 * 2**30
"""What the plan hashes in its 15 minutes, with room to spare: all objects of a dataset together."""
MOST_OBJECTS: Final = 250
"""The list of a dataset's objects travels in the state of the run, which holds 256 KiB."""
_LIST_BYTES: Final = 1024 * 1024
"""More than a list of so many objects with the longest keys has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PinnedDataset:
    """The objects of a dataset in the order of their keys; `sha256` is that of the one object, or of all their hashes.

    `bytes` is their size together; `version_id` is that of the one object.
    """

    uri: str
    version_id: str | None
    sha256: str
    bytes: int
    objects: tuple[ReadObject, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the form that travels in the plan."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundDataset:
    """A dataset that can be read: its address, and those of its objects with versions, in the order of their keys.

    `bytes` is their size together.
    """

    uri: str
    objects: tuple[tuple[str, str | None], ...]
    bytes: int


def locate(s3: Any, uri: str, version_id: str | None) -> FoundDataset:
    """Find the objects of a dataset; an address that ends in `/` means the objects below it.

    Raises InvalidRequest if there is none, or one is missing, unreadable, empty or too large.
    """
    if not uri.endswith("/"):
        if not kind_of(uri):
            raise InvalidRequest(f"The dataset {uri} has no name that tells its format; allowed: {ALLOWED}.")
        version, size = _look_at(s3, uri, version_id, what="dataset", most=_most(uri))
        return FoundDataset(uri=uri, objects=((uri, version),), bytes=size)
    if version_id:
        raise InvalidRequest(f"The dataset {uri} is a folder, which has no version: leave version_id out.")
    found = _below(s3, uri)
    for each in found:
        _check_size(each.uri, each.size, "dataset", _most(each.uri))
    objects = tuple((each.uri, each.version_id) for each in found)
    return FoundDataset(uri=uri, objects=objects, bytes=sum(each.size for each in found))


def locate_listed(s3: Any, list_uri: str) -> FoundDataset:
    """Find the objects of a list: a JSON list of {uri, version_id}, as what starts runs writes it.

    Raises InvalidRequest if the list cannot be used, has objects of several kinds or too many, or one is missing.
    """
    listed = _read_list(s3, list_uri)
    if len(listed) > MOST_OBJECTS:
        raise InvalidRequest(f"The list {list_uri} has {len(listed)} objects; at most {MOST_OBJECTS} can be prepared.")
    uris = [uri for uri, _ in listed]
    for uri in uris:
        if not kind_of(uri):
            raise InvalidRequest(f"The dataset {uri} has no name that tells its format; allowed: {ALLOWED}.")
    check_one_kind(f"The list {list_uri}", uris)
    looked = [(uri, *_look_at(s3, uri, version, what="dataset", most=_most(uri))) for uri, version in listed]
    total = sum(size for _, _, size in looked)
    _check_total(f"The list {list_uri}", total)
    return FoundDataset(uri=list_uri, objects=tuple((uri, version) for uri, version, _ in looked), bytes=total)


def _read_list(s3: Any, list_uri: str) -> list[tuple[str, str | None]]:
    """Return addresses and versions in the order of the addresses."""
    bucket, _, key = list_uri.removeprefix("s3://").partition("/")
    try:
        with service_errors():
            listed = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read(_LIST_BYTES))
        found = {str(each["uri"]): each.get("version_id") or None for each in listed}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidRequest(
            f'The list {list_uri} cannot be used: it has to be a JSON list of {{"uri": …, "version_id": …}}.'
        ) from error
    except Exception as error:
        raise _unreadable(list_uri, None, error, "list of objects") from error
    if not found or len(found) < len(listed):
        what = "names an object twice" if found else "is empty"
        raise InvalidRequest(f"The list {list_uri} {what}: name each object once.")
    return sorted(found.items())


def pin(s3: Any, found: FoundDataset) -> PinnedDataset:
    """Hash each object of a dataset; raise InvalidRequest if one has become unreadable."""
    objects = tuple(_pin_object(s3, uri, version) for uri, version in found.objects)
    if [each.uri for each in objects] == [found.uri]:
        [one] = objects
        return PinnedDataset(
            uri=found.uri, version_id=one.version_id, sha256=one.sha256, bytes=one.bytes, objects=objects
        )
    return PinnedDataset(
        uri=found.uri,
        version_id=None,
        sha256=hashlib.sha256("\n".join(each.sha256 for each in objects).encode()).hexdigest(),
        bytes=sum(each.bytes for each in objects),
        objects=objects,
    )


def _most(uri: str) -> int:
    return MOST_BYTES_CUT if uri.lower().endswith(".jsonl") else MOST_BYTES


def _below(s3: Any, uri: str) -> list[s3_objects.S3Object]:
    """Find the data right below an address, within the limits."""
    try:
        with service_errors():
            found = s3_objects.find(s3, uri)
    except Exception as error:
        raise _unreadable(uri, None, error) from error
    if len(found) > MOST_OBJECTS:
        raise InvalidRequest(f"The dataset {uri} has {len(found)} objects; at most {MOST_OBJECTS} can be prepared.")
    total = sum(each.size for each in found)
    _check_total(f"The dataset {uri}", total)
    return found


def _check_total(what: str, total: int) -> None:
    if total > MOST_BYTES_CUT:
        size = f"{total / 2**30:.1f} GiB"
        raise InvalidRequest(f"{what} has {size}; at most {MOST_BYTES_CUT / 2**30:.0f} GiB can be prepared.")


def pin_one(s3: Any, uri: str, *, what: str) -> ReadObject:
    """Hash one object as it is now; raise InvalidRequest if it is missing, unreadable or empty. `what` names it."""
    return _pin_object(s3, uri, find(s3, uri, what=what), what)


def _pin_object(s3: Any, uri: str, version: str | None, what: str = "dataset") -> ReadObject:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        with service_errors():
            digest = hashlib.sha256()
            size = 0
            for chunk in s3_objects.chunks(s3, bucket=bucket, key=key, version_id=version):
                digest.update(chunk)
                size += len(chunk)
    except Exception as error:
        raise _unreadable(uri, version, error, what) from error
    return ReadObject(uri=uri, version_id=version, sha256=digest.hexdigest(), bytes=size)


def find(s3: Any, uri: str, *, what: str) -> str | None:
    """Return the version of an object to read; raise InvalidRequest if it is missing, unreadable or empty."""
    return _look_at(s3, uri, None, what=what, most=None)[0]


def _look_at(s3: Any, uri: str, version_id: str | None, *, what: str, most: int | None) -> tuple[str | None, int]:
    """Return the version of an object to read, and its size in bytes."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    version = {"VersionId": version_id} if version_id else {}
    try:
        with service_errors():
            found = s3.head_object(Bucket=bucket, Key=key, **version)
    except Exception as error:
        raise _unreadable(uri, version_id, error, what) from error
    _check_size(uri, found["ContentLength"], what, most)
    return version_id or found.get("VersionId"), found["ContentLength"]


def _check_size(uri: str, size: int, what: str, most: int | None) -> None:
    if not size:
        raise InvalidRequest(f"The {what} {uri} is empty (0 bytes).")
    if most and size > most:
        gib = f"{size / 2**30:.1f} GiB"
        raise InvalidRequest(f"The {what} {uri} has {gib}; at most {most / 2**30:.0f} GiB can be prepared: split it.")


def _unreadable(uri: str, version_id: str | None, error: Exception, what: str = "dataset") -> Exception:
    reason = _REASONS.get(error_code(error))
    if reason is None:
        return error
    version = f" (version {version_id})" if version_id else ""
    return InvalidRequest(f"The {what} {uri}{version} cannot be read: {reason}.")
