"""Bring media to the bucket of a dataset: S3 copies them, each once, and they need not pass through here."""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError, ParamValidationError

from lambda_handlers.catalog.training_data import MEDIA_KINDS, MEDIA_URI
from lambda_handlers.datasets.faults import Fault, RejectedRowError
from lambda_handlers.datasets.forms.media_place import MediaItem
from lambda_handlers.protocol.errors import InvalidRequest, error_code, from_client_error, service_errors

_REMEMBERED: Final = 10_000
# As many as a client of boto3 keeps connections.
_AT_ONCE: Final = 10
_TRIES: Final = 3
_CHANGED: Final = ("412", "PreconditionFailed")
_URI: Final = re.compile(MEDIA_URI, re.ASCII)
_LONGEST_KEY: Final = 1024
MEDIA_FOLDER: Final = "media"
"""Beside the other outputs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaSettings:
    """Where media go and may come from.

    `prefix` is that of the output (empty, or it ends in `/`): copies go to `media/` under it. Media in the output's
    bucket whose key begins with `stays` are not copied. `account` gives the account that owns the bucket, and is asked
    only when something is copied. `readable` are the buckets that may be read; None leaves that to S3.
    """

    bucket: str
    prefix: str
    account: Callable[[], str]
    stays: str = ""
    readable: frozenset[str] | None = None


class S3Media:
    """A MediaPlace in S3; remembers what became of the last 10,000 items.

    A copy is named by its source, that is bucket, key and version (ETag without versions), so that whoever asks for it
    first, or again, means the same object. Sizes are those of `catalog.training_data`.
    """

    def __init__(self, s3: Any, settings: MediaSettings) -> None:
        self._s3 = s3
        self._settings = settings
        self._found: OrderedDict[MediaItem, str | Fault] = OrderedDict()
        self._account: str | None = None

    def place(self, item: MediaItem, owner: str) -> tuple[str, str]:
        """Return where the item can be read, and whose bucket that is; copy it where it lies elsewhere.

        Raises RejectedRowError for an item that is not there, may not be read or is too large, TransientServiceError
        where S3 has a fault or asks for patience.
        """
        if item in self._found:
            self._found.move_to_end(item)
        else:
            self._remember(item, self._look_up(item))
        found = self._found[item]
        if isinstance(found, Fault):
            raise RejectedRowError([found])
        return (found, owner) if found == item.uri else (found, self._owner())

    def expect(self, items: Collection[MediaItem]) -> None:
        """Look items up and copy them, several at a time."""
        new = [item for item in dict.fromkeys(items) if item not in self._found]
        if not new:
            return
        with ThreadPoolExecutor(min(_AT_ONCE, len(new))) as threads:
            for item, found in zip(new, threads.map(self._look_up, new), strict=True):
                self._remember(item, found)

    def _remember(self, item: MediaItem, found: str | Fault) -> None:
        self._found[item] = found
        if len(self._found) > _REMEMBERED:
            self._found.popitem(last=False)

    def _owner(self) -> str:
        if self._account is None:
            self._account = self._settings.account()
        return self._account

    def _look_up(self, item: MediaItem) -> str | Fault:
        bucket, _, key = item.uri.removeprefix("s3://").partition("/")
        if not bucket or not key or len(key) > _LONGEST_KEY:
            return Fault("media_missing", f"{item.uri} names no object: it has the form s3://bucket/key")
        readable = self._settings.readable
        if readable is not None and bucket not in readable:
            return Fault(
                "media_missing",
                f"the setting media_buckets does not name the bucket {bucket}, so that nothing in it may be read: "
                f"add it there, or move {item.uri}",
            )
        with service_errors():
            try:
                return self._placed(item, bucket, key)
            except (ClientError, ParamValidationError) as error:
                if from_client_error(error) is not error:
                    raise
                return Fault("media_missing", _reason(item, error))

    def _placed(self, item: MediaItem, bucket: str, key: str) -> str | Fault:
        for attempt in range(1, _TRIES + 1):
            head = self._s3.head_object(Bucket=bucket, Key=key)
            if too_large := _too_large(item, head["ContentLength"]):
                return too_large
            if bucket == self._settings.bucket and key.startswith(self._settings.stays):
                return item.uri
            try:
                return self._copied(item, bucket, key, head)
            except ClientError as error:
                # It was replaced between the two calls: what is there now is what the row means.
                if error_code(error) not in _CHANGED or attempt == _TRIES:
                    raise
        raise AssertionError  # the last try returns or raises

    def _copied(self, item: MediaItem, bucket: str, key: str, head: dict[str, Any]) -> str:
        version = head.get("VersionId")
        source = "\n".join((bucket, key, version if version and version != "null" else head["ETag"]))
        name = f"{hashlib.sha256(source.encode()).hexdigest()}.{item.file_format}"
        target = {"Bucket": self._settings.bucket, "Key": f"{self._settings.prefix}{MEDIA_FOLDER}/{name}"}
        uri = f"s3://{target['Bucket']}/{target['Key']}"
        if not _URI.fullmatch(uri):
            raise InvalidRequest(
                f"media would be copied to {uri}, an address that Nova does not read: "
                "choose an output of letters, digits, _ - / and ."
            )
        if not self._is_there(target, head["ContentLength"]):
            self._s3.copy_object(
                **target,
                CopySource={"Bucket": bucket, "Key": key},
                CopySourceIfMatch=head["ETag"],
                # To copy tags would need permissions for tags.
                TaggingDirective="REPLACE",
            )
        return uri

    def _is_there(self, target: dict[str, str], size: int) -> bool:
        try:
            return bool(self._s3.head_object(**target)["ContentLength"] == size)
        except ClientError as error:
            if from_client_error(error) is not error:
                raise
            return False


def _too_large(item: MediaItem, size: int) -> Fault | None:
    limit = MEDIA_KINDS[item.kind].max_megabytes
    if size <= MEDIA_KINDS[item.kind].max_bytes:
        return None
    return Fault("media_too_large", f"{item.uri} has {size:,} bytes; a {item.kind} may have {limit} MB")


def _reason(item: MediaItem, error: ClientError | ParamValidationError) -> str:
    if isinstance(error, ParamValidationError):
        return f"{item.uri} is not an address that S3 knows: {error}"
    code, what = error_code(error), error.operation_name
    if what == "CopyObject":
        return f"{item.uri} cannot be copied ({code}): allow s3:GetObject on it, and kms:Decrypt if it has a key"
    if code in ("403", "AccessDenied"):
        return f"{item.uri} is not there or may not be read ({code}): check the address, and allow s3:GetObject on it"
    return f"{item.uri} is not there or cannot be read ({code})"
