"""What has arrived for the triggers of a customization, each thing once, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from lambda_handlers.protocol.names import canonical, sha256
from lambda_handlers.protocol.store import ConditionFailed, DynamoItemStore, Item, ItemStore, attempts
from lambda_handlers.starting.trigger import Trigger

WAITING_INDEX: Final = "waiting"
"""The index of everything that is not settled; its items are few, and leave it when they are."""
WAITING: Final = "WAITING"
STARTED: Final = "STARTED"
SUPERSEDED: Final = "SUPERSEDED"
COOLED_DOWN: Final = "COOLED_DOWN"
STATE: Final = "state"
"""The key, beside arrivals, of the item that says how a trigger stands."""
_MARKER: Final = "waiting_marker"
_KEPT: Final = timedelta(days=30)
"""How long what is settled stays known: longer than any delivery is repeated (14 days in a dead-letter queue)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """Something that a trigger was told, once. `facts` are those of its kind; `run` is the run that it became part of.

    `at` is when it happened, `received` when it was told, both ISO 8601.
    """

    trigger: Trigger
    id: str
    at: str
    received: str
    facts: Mapping[str, Any]
    status: str = WAITING
    run: str = ""

    @property
    def subject(self) -> str:
        """What of it a later one takes the place of: the object whose version it is."""
        return str(self.facts.get("uri", ""))


def arrivals_store(table_name: str) -> DynamoItemStore:
    """Return the store of the arrivals table."""
    return DynamoItemStore(
        table_name=table_name, partition_key="trigger", sort_key="arrival", indexes={WAITING_INDEX: _MARKER}
    )


def arrival_id(*parts: str) -> str:
    """Return the id under which a thing is known however often it is told."""
    return sha256(parts)[:32]


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The arrivals in their table."""

    store: ItemStore

    def enter(self, arrival: Arrival) -> bool:
        """Keep an arrival and return whether it was not known."""
        known = self._keep(arrival)
        if arrival.facts.get("sequencer"):
            self._note_newest(arrival)
        return known

    def waiting(self, *also: Arrival, trigger: str | None = None) -> list[Arrival]:
        """Return what waits, for one trigger or all, in the order of its time; `also` is what the index may lack."""
        listed = [(str(each["trigger"]), str(each["arrival"])) for each in self._listed() if _is_arrival(each)]
        known = dict.fromkeys([*listed, *((each.trigger.name, _PREFIX + each.id) for each in also)])
        keys = [key for key in known if trigger in (None, key[0])]
        found = [self.store.get({"trigger": name, "arrival": key}) for name, key in keys]
        # Read again by key, for the index may be out of date.
        arrivals = [_parse(item) for item in found if item and item["status"] == WAITING]
        return sorted(arrivals, key=lambda each: (each.at, each.id))

    def triggers(self) -> set[str]:
        """Return the names of the triggers that have anything unsettled."""
        return {str(each["trigger"]) for each in self._listed()}

    def get(self, trigger: str, id: str) -> Arrival | None:
        """Return an arrival."""
        item = self.store.get({"trigger": trigger, "arrival": _PREFIX + id})
        return _parse(item) if item else None

    def settle(self, trigger: str, id: str, status: str, run: str, now: datetime) -> None:
        """Say what became of an arrival; nothing if that is known already."""
        for _ in attempts():
            item = self.store.get({"trigger": trigger, "arrival": _PREFIX + id})
            if item is None or item["status"] != WAITING:
                return
            settled = {name: value for name, value in item.items() if name != _MARKER}
            expiry = int((now + _KEPT).timestamp())
            if _swap(self.store, item, {**settled, "status": status, "run": run, "expires_at": expiry}):
                return

    def reopen(self, trigger: str, run: str) -> int:
        """Let wait again what became part of a run that did nothing; return how many arrivals that are.

        The trigger's next start then counts as if that run had not been.
        """
        for _ in attempts():
            state = self.store.get({"trigger": trigger, "arrival": STATE})
            if not state or state.get("last_run") != run:
                break
            if _swap(self.store, state, {**state, "last_run": "", "last_start": "", "leaves_some": False}):
                break
        became = [each for each in self.store.query(trigger) if _is_arrival(each) and each["run"] == run]
        return sum(self._wait_again(trigger, str(each["arrival"]), run) for each in became)

    def wait_again(self, trigger: str, id: str, run: str) -> bool:
        """Let an arrival wait that was settled by a run which did nothing with it; return whether it was that run."""
        return self._wait_again(trigger, _PREFIX + id, run)

    def newest(self, arrival: Arrival) -> str:
        """Return the sequencer of the newest version known of an object."""
        item = self.store.get(_newest_key(arrival))
        return str(item["sequencer"]) if item else ""

    def _wait_again(self, trigger: str, key: str, run: str) -> bool:
        for _ in attempts():
            item = self.store.get({"trigger": trigger, "arrival": key})
            if item is None or item["run"] != run or item["status"] != STARTED:
                return False
            kept = {name: value for name, value in item.items() if name != "expires_at"}
            if _swap(self.store, item, {**kept, "status": WAITING, "run": "", _MARKER: WAITING}):
                return True
        raise AssertionError

    def _listed(self) -> list[Item]:
        return self.store.query_index(WAITING_INDEX, WAITING)

    def _keep(self, arrival: Arrival) -> bool:
        try:
            self.store.put(_item(arrival), replacing=None)
        except ConditionFailed:
            return False
        return True

    def _note_newest(self, arrival: Arrival) -> None:
        for _ in attempts():
            item = self.store.get(_newest_key(arrival))
            if item and not is_newer(str(arrival.facts["sequencer"]), str(item["sequencer"])):
                return
            expiry = int((datetime.fromisoformat(arrival.received) + _KEPT).timestamp())
            noted: Item = {**_newest_key(arrival), "sequencer": str(arrival.facts["sequencer"]), "expires_at": expiry}
            if _swap(self.store, item, noted):
                return


def is_newer(sequencer: str, than: str) -> bool:
    """Compare sequencers of one key: hexadecimal, the shorter one filled up with zeros at its end (S3 user guide)."""
    width = max(len(sequencer), len(than))
    return sequencer.upper().ljust(width, "0") > than.upper().ljust(width, "0")


_PREFIX: Final = "arrival#"


def _is_arrival(item: Item) -> bool:
    return str(item["arrival"]).startswith(_PREFIX)


def _newest_key(arrival: Arrival) -> dict[str, str]:
    return {"trigger": arrival.trigger.name, "arrival": f"newest#{arrival_id(arrival.subject)}"}


def _item(arrival: Arrival) -> dict[str, Any]:
    return {
        "trigger": arrival.trigger.name,
        "arrival": _PREFIX + arrival.id,
        "settings": arrival.trigger.as_text(),
        "at": arrival.at,
        "received": arrival.received,
        "facts": canonical(dict(arrival.facts)),
        "status": WAITING,
        "run": "",
        _MARKER: WAITING,
    }


def _parse(item: Item) -> Arrival:
    return Arrival(
        trigger=Trigger.parse(json.loads(str(item["settings"]))),
        id=str(item["arrival"]).removeprefix(_PREFIX),
        at=str(item["at"]),
        received=str(item["received"]),
        facts=json.loads(str(item["facts"])),
        status=str(item["status"]),
        run=str(item["run"]),
    )


def _swap(store: ItemStore, old: Item | None, new: Item) -> bool:
    try:
        store.put(new, replacing=old)
    except ConditionFailed:
        return False
    return True
