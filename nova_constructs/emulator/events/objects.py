"""Amazon S3's events about objects, in the shape EventBridge carries them (events-ref-s3, event version 1.1)."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import moto.s3.notifications as notifications

from nova_constructs.emulator.patches import Patches
from nova_constructs.emulator.state import EmulatorState

_REASONS = {
    "ObjectCreated:Put": "PutObject",
    "ObjectCreated:Post": "POST Object",
    "ObjectCreated:Copy": "CopyObject",
    "ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
    "ObjectRemoved:Delete": "DeleteObject",
}


def patch_notifications(state: EmulatorState, patches: Patches) -> None:
    """Let S3 put its events on the bus."""
    sequence = itertools.count(0x0062E99A88000000)

    def send(account_id: str, bucket: Any, event_name: str, key: Any) -> None:
        kind = str(getattr(event_name, "value", event_name)).removeprefix("s3:")
        if kind not in _REASONS:
            return
        detail = {
            "version": "0",
            "event-version": "1.1",
            "bucket": {"name": bucket.name},
            "object": _object(bucket, key, next(sequence)),
            "request-id": uuid.uuid4().hex[:16].upper(),
            "requester": account_id,
            "source-ip-address": "127.0.0.1",
            "reason": _REASONS[kind],
        }
        if kind.startswith("ObjectRemoved"):
            detail["deletion-type"] = "Permanently Deleted"
        state.put_service_event("aws.s3", notifications._detail_type(event_name), detail, [bucket.arn])

    patches.replace(notifications, "_send_event_bridge_message", send)


def _object(bucket: Any, key: Any, sequence: int) -> dict[str, Any]:
    described = {
        "key": key.name,
        "size": key.size,
        "etag": key.etag.replace('"', ""),
        "sequencer": f"{sequence:016X}",
    }
    if bucket.is_versioned:
        described["version-id"] = str(key.version_id)
    return described
