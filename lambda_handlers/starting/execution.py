"""The execution that arrivals become: its name, which they determine, and its input."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from lambda_handlers.protocol.clock import iso
from lambda_handlers.protocol.names import canonical, sha256
from lambda_handlers.starting.arrivals import Arrival
from lambda_handlers.starting.choosing import Batch
from lambda_handlers.starting.trigger import CHAIN, DATASET, EVENT

WriteObject = Callable[[str, bytes], str]
"""Keeps an object in the artifacts bucket under a key and returns its address."""
LIST_FILE: Final = "objects.json"


def digest_of(batch: Batch) -> str:
    """Return what tells the start from every other: the trigger and the arrivals."""
    return sha256([batch.trigger.name, sorted(each.id for each in batch.arrivals)])[:32]


def name_of(batch: Batch, now: datetime) -> str:
    """Return the name of the execution, and so the id of the run; names sort by time."""
    return f"{now:%Y%m%d-%H%M%S}-{digest_of(batch)[:12]}"


def input_of(batch: Batch, now: datetime, write: WriteObject) -> dict[str, Any]:
    """Return the execution input; a list of several objects is written first."""
    last = batch.arrivals[-1]
    document: dict[str, Any] = dict(batch.trigger.request)
    if batch.trigger.kind == DATASET:
        document["dataset"] = _dataset(batch, write)
    elif batch.trigger.kind == EVENT and "uri" in last.facts:
        document["dataset"] = _one(last)
    elif batch.trigger.kind == CHAIN and "model_path" in last.facts:
        document["model_path"] = last.facts["model_path"]
    document["trigger"] = {
        "name": batch.trigger.name,
        "kind": batch.trigger.kind,
        "id": str(last.facts["event"]) if len(batch.arrivals) == 1 else digest_of(batch),
        "at": iso(now),
        "count": len(batch.arrivals),
    }
    return document


def _dataset(batch: Batch, write: WriteObject) -> dict[str, str]:
    if len(batch.arrivals) == 1:
        return _one(batch.arrivals[0])
    listed = sorted((_one(each) for each in batch.arrivals), key=lambda each: each["uri"])
    return {"objects_uri": write(f"starts/{digest_of(batch)}/{LIST_FILE}", canonical(listed).encode())}


def _one(arrival: Arrival) -> dict[str, str]:
    version = arrival.facts.get("version_id")
    return {"uri": arrival.subject, **({"version_id": str(version)} if version else {})}
