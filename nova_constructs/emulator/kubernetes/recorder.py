"""Events: what controllers say about objects."""

from __future__ import annotations

import uuid

from nova_constructs.emulator.kubernetes.kinds import EVENT, Kind
from nova_constructs.emulator.kubernetes.store import Object, ObjectStore, stamp


def record(
    store: ObjectStore, kind: Kind, body: Object, reason: str, message: str, *, source: str, warning: bool = False
) -> None:
    """Keep an event about an object; one that was said before is counted."""
    metadata = body["metadata"]
    for event in store.all(EVENT, metadata["namespace"]):
        same = event["involvedObject"]["uid"] == metadata["uid"]
        if same and (event["reason"], event["message"]) == (reason, message):
            event["count"] += 1
            event["lastTimestamp"] = stamp(store.now())
            store.touch(event)
            return
    store.create(
        EVENT,
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{uuid.uuid4().hex[:16]}", "namespace": metadata["namespace"]},
            "involvedObject": {
                "kind": kind.kind,
                "apiVersion": kind.api_version,
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "reason": reason,
            "message": message,
            "type": "Warning" if warning else "Normal",
            "source": {"component": source},
            "firstTimestamp": stamp(store.now()),
            "lastTimestamp": stamp(store.now()),
            "count": 1,
        },
    )
