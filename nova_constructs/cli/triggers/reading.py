"""The triggers of a deployed customization: from the outputs of its stack, and what waits from its table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_handlers.protocol.store import decode
from lambda_handlers.starting.arrivals import WAITING, WAITING_INDEX
from nova_constructs.cli.deployed import Customization

_OUTPUT = "Trigger"
_TABLE = "ArrivalsTableName"


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """Something that has arrived and is not part of a run yet."""

    trigger: str
    what: str
    at: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as it is printed with `--json`."""
        return {"trigger": self.trigger, "what": self.what, "at": self.at}


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownTrigger:
    """A trigger and what waits for it, the oldest first. `starts` says in words when a run starts."""

    name: str
    kind: str
    mode: str
    starts: str
    waiting: tuple[Waiting, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it as it is printed with `--json`."""
        told = {"name": self.name, "kind": self.kind, "mode": self.mode, "starts": self.starts}
        return {**told, "waiting": [each.as_dict() for each in self.waiting]}


def read_triggers(customization: Customization, dynamodb: Any) -> list[KnownTrigger]:
    """Return the triggers by name; one that is gone but has something waiting is among them."""
    waiting = read_waiting(customization, dynamodb)
    told = [
        json.loads(value)
        for key, value in sorted(customization.outputs.items())
        if key.startswith(_OUTPUT) and value.startswith("{")
    ]
    known = {each["name"] for each in told}
    gone = sorted({each.trigger for each in waiting} - known)
    told += [{"name": name, "kind": "-", "mode": "-", "starts": "It is no longer deployed."} for name in gone]
    return [
        KnownTrigger(**each, waiting=tuple(arrival for arrival in waiting if arrival.trigger == each["name"]))
        for each in told
    ]


def read_waiting(customization: Customization, dynamodb: Any) -> list[Waiting]:
    """Return what has arrived and waits, the oldest first."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=customization.outputs[_TABLE],
        IndexName=WAITING_INDEX,
        KeyConditionExpression="#marker = :waiting",
        ExpressionAttributeNames={"#marker": "waiting_marker"},
        ExpressionAttributeValues={":waiting": {"S": WAITING}},
    )
    items = [decode(item) for page in pages for item in page["Items"]]
    found = [_waiting(item) for item in items if "facts" in item]  # the rest is the state of triggers
    return sorted(found, key=lambda each: (each.at, each.what))


def _waiting(item: Mapping[str, Any]) -> Waiting:
    facts = json.loads(str(item["facts"]))
    version = f" (version {facts['version_id']})" if facts.get("version_id") else ""
    what = f"{facts['uri']}{version}" if facts.get("uri") else str(facts["event"])
    return Waiting(trigger=str(item["trigger"]), what=what, at=str(item["at"]))
