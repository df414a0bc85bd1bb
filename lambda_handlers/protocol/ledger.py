"""The run ledger: an append-only chain of events, each carrying the SHA-256 of the one before it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from lambda_handlers.protocol.aws import client
from lambda_handlers.protocol.clock import iso
from lambda_handlers.protocol.errors import (
    InvalidRequest,
    LedgerSealed,
    TransientServiceError,
    WorkflowError,
    error_code,
    service_errors,
)
from lambda_handlers.protocol.names import canonical, sha256
from lambda_handlers.protocol.store import ConditionFailed, Item, ItemStore, attempts

RUN_CLOSED: Final = "run_closed"
"""Type and event id of the last event of every run."""
GENESIS: Final = "0" * 64
"""What the first event carries in place of a predecessor's hash."""
_DETAIL_LIMIT: Final = 128 * 1024
"""Characters of an event's detail: an item holds 400 KB (DynamoDB service quotas)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerEvent:
    """Record one thing that happened in a run."""

    run_id: str
    seq: int
    event_id: str
    type: str
    at: str
    detail: Mapping[str, Any]
    previous: str
    hash: str = ""

    def digest(self) -> str:
        """Return the SHA-256 of everything but the hash itself."""
        return sha256({name: value for name, value in self.as_dict().items() if name != "hash"})

    def as_dict(self) -> dict[str, Any]:
        """Return the event as it is written to objects."""
        return {name: getattr(self, name) for name in self.__slots__}


class Mirror(Protocol):
    """Keep a copy of each event where the ledger's writer cannot change it."""

    def put(self, key: str, body: bytes) -> None:
        """Write the object unless there is one of that key already."""
        ...


class Ledger(Protocol):
    """Take events of a run, each id once."""

    def append(self, *, run_id: str, event_id: str, type: str, detail: Mapping[str, Any]) -> Mapping[str, Any]:
        """Record the event and return its `seq` and `hash`; those of the first call when the id is known."""
        ...


def append(
    store: ItemStore, mirror: Mirror, run_id: str, event_id: str, type: str, detail: Mapping[str, Any], now: datetime
) -> LedgerEvent:
    """Chain the event to the run's last one; return the recorded event if the id is known.

    Raise LedgerSealed for a new event after `run_closed`, InvalidRequest for a detail that is too large or not JSON.
    """
    _check_detail(detail)
    for _ in attempts():
        events = read(store, run_id)
        known = next((event for event in events if event.event_id == event_id), None)
        if known is None and events and events[-1].type == RUN_CLOSED:
            raise LedgerSealed(f"The record of run {run_id} is closed.")
        event = known or _following(events, run_id, event_id, type, detail, now)
        if known or _put(store, event):
            # An append that stopped between the two writes left a gap in the mirror: the last event closes it.
            for each in (*events, event) if event.type == RUN_CLOSED else (event,):
                mirror.put(mirror_key(each), canonical(each.as_dict()).encode())
            return event
    raise AssertionError


def read(store: ItemStore, run_id: str) -> list[LedgerEvent]:
    """Return the events of a run in order."""
    return [event_of(item) for item in store.query(run_id)]


def verify(events: Sequence[LedgerEvent]) -> list[str]:
    """Return what is wrong with a chain: gaps, broken links, changed contents, events after its end."""
    problems: list[str] = []
    previous = GENESIS
    for position, event in enumerate(events, start=1):
        if event.seq != position:
            problems.append(f"event {position} has number {event.seq}")
        if event.previous != previous:
            problems.append(f"event {event.seq} does not follow the one before it")
        if event.hash != event.digest():
            problems.append(f"event {event.seq} was changed after it was recorded")
        if event.type == RUN_CLOSED and position != len(events):
            problems.append(f"event {event.seq} closed the run, yet others follow")
        previous = event.hash
    if len({event.event_id for event in events}) != len(events):
        problems.append("an event was recorded twice")
    return problems


def mirror_key(event: LedgerEvent) -> str:
    """Return the key of an event's copy in the audit bucket."""
    return f"runs/{event.run_id}/ledger/{event.seq:06d}.json"


@dataclass(frozen=True, slots=True)
class LedgerClient:
    """Append through the one function that may write the ledger (lambda:InvokeFunction)."""

    function_name: str

    def append(self, *, run_id: str, event_id: str, type: str, detail: Mapping[str, Any]) -> Mapping[str, Any]:
        """Record the event.

        Raise LedgerSealed if the run is closed, InvalidRequest for a detail that cannot be recorded and
        TransientServiceError if the function fails otherwise.
        """
        request = {"run_id": run_id, "event_id": event_id, "type": type, "detail": dict(detail)}
        with service_errors():
            answer = client("lambda").invoke(FunctionName=self.function_name, Payload=canonical(request).encode())
            payload = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise _error(payload)
        return dict(payload)


@dataclass(frozen=True, slots=True)
class S3Mirror:
    """Write objects to the audit bucket, none of them twice (s3:PutObject)."""

    bucket: str

    def put(self, key: str, body: bytes) -> None:
        """Write the object unless there is one of that key already."""
        try:
            with service_errors():
                client("s3").put_object(
                    Bucket=self.bucket, Key=key, Body=body, ContentType="application/json", IfNoneMatch="*"
                )
        except Exception as error:
            # A concurrent write of the same key answers 409; its content is ours, for a key holds one event.
            if error_code(error) not in ("PreconditionFailed", "412", "ConditionalRequestConflict"):
                raise


def _following(
    events: Sequence[LedgerEvent], run_id: str, event_id: str, type: str, detail: Mapping[str, Any], now: datetime
) -> LedgerEvent:
    last = events[-1] if events else None
    values: dict[str, Any] = {
        "run_id": run_id,
        "seq": last.seq + 1 if last else 1,
        "event_id": event_id,
        "type": type,
        "at": iso(now),
        "detail": json.loads(canonical(detail)),
        "previous": last.hash if last else GENESIS,
    }
    return LedgerEvent(**values, hash=LedgerEvent(**values).digest())


def _put(store: ItemStore, event: LedgerEvent) -> bool:
    try:
        store.put({**event.as_dict(), "detail": canonical(event.detail)}, replacing=None)
    except ConditionFailed:
        return False
    return True


def event_of(item: Item) -> LedgerEvent:
    """Return the event that an item of the table is."""
    return LedgerEvent(
        run_id=str(item["run_id"]),
        seq=int(item["seq"]),
        event_id=str(item["event_id"]),
        type=str(item["type"]),
        at=str(item["at"]),
        detail=json.loads(str(item["detail"])),
        previous=str(item["previous"]),
        hash=str(item["hash"]),
    )


def _check_detail(detail: Mapping[str, Any]) -> None:
    try:
        size = len(canonical(detail))
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"The detail of a ledger event must be JSON: {error}") from error
    if size > _DETAIL_LIMIT:
        raise InvalidRequest(f"The detail of a ledger event has {size} characters; {_DETAIL_LIMIT} are allowed.")


def _error(payload: Mapping[str, Any]) -> WorkflowError:
    message = str(payload.get("errorMessage", payload))
    for known in (LedgerSealed, InvalidRequest):
        if payload.get("errorType") == known.__name__:
            return known(message)
    return TransientServiceError(f"The ledger did not take the event: {message}")
