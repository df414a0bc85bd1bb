"""Read what a rule or a schedule sends: which trigger was told what."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from lambda_handlers.datasets.reading.source_format import kind_of
from lambda_handlers.protocol.clock import iso
from lambda_handlers.protocol.errors import InvalidRequest
from lambda_handlers.starting import trigger as kinds
from lambda_handlers.starting.arrivals import Arrival, arrival_id
from lambda_handlers.starting.trigger import Trigger

_STEP: Final = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]")
OutputOf = Callable[[str], str]
"""Asks Step Functions for the output of an execution, which a large event leaves out."""


def receive(message: Mapping[str, Any], now: datetime, output_of: OutputOf) -> Arrival | None:
    """Return what arrived; None where it starts nothing, as the success of a run that deployed nothing does not.

    Raises InvalidRequest for an event that does not have what the trigger needs.
    """
    trigger, event = Trigger.parse(message["trigger"]), message["event"]
    read: dict[str, Callable[[Trigger, Mapping[str, Any]], _Found | None]] = {
        kinds.DATASET: _dataset,
        kinds.SCHEDULE: _schedule,
        kinds.ALARM: _alarm,
        kinds.EVENT: _event,
        kinds.CHAIN: lambda trigger, event: _chain(trigger, event, output_of),
    }
    found = read[trigger.kind](trigger, event)
    if found is None:
        return None
    known_by, facts = found
    return Arrival(
        trigger=trigger,
        id=arrival_id(*known_by),
        at=iso(datetime.fromisoformat(str(event["time"]))),
        received=iso(now),
        facts={"event": known_by[-1], **facts},
    )


_Found = tuple[tuple[str, ...], dict[str, Any]]


def _dataset(trigger: Trigger, event: Mapping[str, Any]) -> _Found | None:
    bucket, written = event["detail"]["bucket"]["name"], event["detail"]["object"]
    key, version = written["key"], written.get("version-id") or None
    if not trigger.marker and _accompanies(key):
        return None
    sequencer = str(written.get("sequencer") or "")
    # Without versions, the sequencer tells one writing of a key from the next.
    known_by = (bucket, key, version or sequencer or str(event["id"]))
    facts: dict[str, Any] = {"sequencer": sequencer} if sequencer else {}
    if trigger.marker:
        return known_by, {**facts, "uri": f"s3://{bucket}/{key.removesuffix(trigger.marker)}"}
    told = {"uri": f"s3://{bucket}/{key}", "version_id": version, "bytes": int(written.get("size") or 0)}
    return known_by, {**facts, **told}


def _accompanies(key: str) -> bool:
    """Tell whether an object is what writers of data leave beside it, as `_SUCCESS` and `.part-0.crc`."""
    return key.rpartition("/")[2].startswith(("_", ".")) and kind_of(key) is None


def _schedule(_trigger: Trigger, event: Mapping[str, Any]) -> _Found:
    return (str(event["time"]),), {}


def _alarm(_trigger: Trigger, event: Mapping[str, Any]) -> _Found:
    detail = event["detail"]
    return (str(event["id"]),), {"alarm": detail["alarmName"], "reason": detail["state"].get("reason", "")}


def _event(trigger: Trigger, event: Mapping[str, Any]) -> _Found:
    known_by = (str(event["id"]),)
    if trigger.dataset_path is None:
        return known_by, {}
    value = _at(event, trigger.dataset_path)
    uri = value.get("uri") if isinstance(value, Mapping) else value
    version = value.get("version_id") if isinstance(value, Mapping) else None
    if not isinstance(uri, str) or not uri:
        raise InvalidRequest(
            f"Trigger {trigger.name}: the event {event['id']} has {json.dumps(value)} at {trigger.dataset_path}; "
            "it needs the s3:// address of a dataset there, or {uri, version_id}."
        )
    return known_by, {"uri": uri, **({"version_id": str(version)} if version else {})}


def _chain(trigger: Trigger, event: Mapping[str, Any], output_of: OutputOf) -> _Found | None:
    detail = event["detail"]
    arn = str(detail["executionArn"])
    output = json.loads(detail.get("output") or output_of(arn) or "{}")
    # An execution that was skipped, rejected or only a dry run has succeeded too.
    if output.get("status") != "SUCCEEDED":
        return None
    facts = {"other_run": str(detail["name"])}
    if trigger.checkpoint:
        if not output.get("checkpoint_uri"):
            return None
        facts["model_path"] = str(output["checkpoint_uri"])
    return (arn,), facts


def _at(event: Mapping[str, Any], path: str) -> Any:
    """Return the value at a path such as $.detail.dataset, None where there is none."""
    value: Any = event
    for name, index in _STEP.findall(path.removeprefix("$")):
        if index:
            value = value[int(index)] if isinstance(value, list) and int(index) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, Mapping) else None
    return value
