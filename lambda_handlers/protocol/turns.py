"""Who may work and who waits for it: the content of the lock, and how it changes hands. All of it is one item."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from lambda_handlers.protocol.clock import iso
from lambda_handlers.protocol.names import canonical
from lambda_handlers.protocol.store import Item

_TURNED_AWAY_KEPT: Final = 500
"""All of it is one item of at most 400 KB."""


class Concurrency(StrEnum):
    """What becomes of a run that starts while another of its customization works."""

    SKIP = "SKIP"
    """It ends `SKIPPED`."""
    QUEUE = "QUEUE"
    """It waits for its turn; who was started first comes first."""
    QUEUE_LATEST = "QUEUE_LATEST"
    """It waits for its turn, in the place of an older run that waits, which ends `SKIPPED`."""
    PARALLEL = "PARALLEL"
    """It works at the same time."""

    @property
    def queues(self) -> bool:
        """Say whether runs wait for one another."""
        return self in (Concurrency.QUEUE, Concurrency.QUEUE_LATEST)


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """A run that may work, in a generation that no run had before."""

    run_id: str
    generation: int
    acquired_at: str
    fenced: bool = False
    """It is being closed: it keeps others out, and does nothing itself any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiter:
    """A run that waits for its turn."""

    run_id: str
    started_at: str
    """When its execution was started, ISO 8601: who was started first comes first."""
    deadline: int
    """Seconds since the epoch, at which it ends `SKIPPED`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Draining:
    """Nobody gets the lock any more: since when (ISO 8601), by whom, and which runs were turned away meanwhile."""

    since: str
    by: str
    turned_away: tuple[str, ...] = ()
    """The first of them, so that what started them can be taken up again; their number is bounded."""

    @property
    def reason(self) -> str:
        """Say why a run does not start."""
        return (
            f"The customization is being drained since {self.since} by {self.by}: no run starts. "
            "`nova drain --undo` lets runs start again."
        )

    def turning_away(self, *run_ids: str) -> Draining:
        """Return this with runs that were turned away too."""
        every = dict.fromkeys((*self.turned_away, *run_ids))
        return replace(self, turned_away=tuple(every)[:_TURNED_AWAY_KEPT])


@dataclass(frozen=True, kw_only=True, slots=True)
class Turns:
    """The holders of the lock, who waits in which order, and who was sent away and why. Each change is a new value."""

    generation: int = 0
    holders: tuple[Holder, ...] = ()
    queue: tuple[Waiter, ...] = ()
    dismissed: Mapping[str, str] = field(default_factory=dict)
    """The reason, in words, by the id of a run that will never have its turn."""
    draining: Draining | None = None
    """Set while whoever works is waited for and nobody else begins."""

    @classmethod
    def parse(cls, item: Item | None) -> Turns:
        """Read the item of the lock; without one nobody ever worked.

        An item of before there was a queue has one holder, by itself, or none.
        """
        if item is None:
            return cls()
        if "holders" not in item:
            return cls(generation=int(item["generation"]), holders=_holder_alone(item))
        return cls(
            generation=int(item["generation"]),
            holders=tuple(Holder(**each) for each in json.loads(str(item["holders"]))),
            queue=tuple(Waiter(**each) for each in json.loads(str(item["queue"]))),
            dismissed=json.loads(str(item["dismissed"])),
            draining=_draining(str(item.get("draining", ""))),
        )

    def item(self) -> Item:
        """Return what `parse` reads."""
        return {
            "generation": self.generation,
            "holders": _text(self.holders),
            "queue": _text(self.queue),
            "dismissed": canonical(dict(self.dismissed)),
            "draining": canonical(asdict(self.draining)) if self.draining else "",
        }

    def holder(self, run_id: str) -> Holder | None:
        """Return the run's hold of the lock, or None."""
        return next((each for each in self.holders if each.run_id == run_id), None)

    def place(self, run_id: str) -> int | None:
        """Return how many turns are ahead of a run that waits, 1 where it is next; None if it does not wait."""
        return next((place for place, each in enumerate(self.queue, start=1) if each.run_id == run_id), None)

    def asked(self, waiter: Waiter, policy: Concurrency, now: datetime) -> Turns:
        """Return what a run's wish to work makes of this. Whoever was sent away before stays so."""
        if self.holder(waiter.run_id) or waiter.run_id in self.dismissed:
            return self
        if self.draining:
            return self._turned_away(waiter.run_id, self.draining)
        if policy is Concurrency.PARALLEL:
            return self.without(waiter.run_id)._granted(waiter.run_id, now)
        if not policy.queues:
            after = self.passed_on(now)
            return after if after.holders else after._granted(waiter.run_id, now)
        if not self.place(waiter.run_id):
            order = sorted((*self.queue, waiter), key=lambda each: (each.started_at, each.run_id))
            queued = replace(self, queue=tuple(order))
            return (queued._latest_alone() if policy is Concurrency.QUEUE_LATEST else queued).passed_on(now)
        return self.passed_on(now)

    def drained(self, by: str, now: datetime) -> Turns:
        """Return this with nobody to get the lock from now on, and those sent away who wait for it."""
        draining = self.draining or Draining(since=iso(now), by=by)
        waiting = [each.run_id for each in self.queue]
        sent_away = self._without_waiting(dict.fromkeys(waiting, draining.reason))
        return replace(sent_away, draining=draining.turning_away(*waiting))

    def reopened(self, known: Draining) -> Turns:
        """Return this with the lock to be had again, unless more runs were turned away than `known` has.

        Who was sent away stays so.
        """
        return replace(self, draining=None) if self.draining == known else self

    def fenced(self, run_id: str) -> Turns:
        """Return this with a run kept from doing anything, and from a turn that it waits for."""
        holders = (replace(each, fenced=True) if each.run_id == run_id else each for each in self.holders)
        queue = (each for each in self.queue if each.run_id != run_id)
        return replace(self, holders=tuple(holders), queue=tuple(queue))

    def without(self, *run_ids: str) -> Turns:
        """Return this without any trace of runs."""
        return replace(
            self,
            holders=tuple(each for each in self.holders if each.run_id not in run_ids),
            queue=tuple(each for each in self.queue if each.run_id not in run_ids),
            dismissed={run_id: why for run_id, why in self.dismissed.items() if run_id not in run_ids},
        )

    def of(self, live: Collection[str]) -> Turns:
        """Return this without the runs that are not among those alive."""
        known = [*(each.run_id for each in self.holders), *(each.run_id for each in self.queue), *self.dismissed]
        return self.without(*(run_id for run_id in known if run_id not in live))

    def passed_on(self, now: datetime) -> Turns:
        """Return this with the lock, where nobody holds it, given to the next who waits."""
        if self.holders or not self.queue:
            return self
        first, *rest = self.queue
        return replace(self, queue=tuple(rest))._granted(first.run_id, now)

    def without_overdue(self, now: datetime) -> Turns:
        """Return this with those sent away whose deadline has passed."""
        late = [each for each in self.queue if now.timestamp() >= each.deadline]
        by = ", ".join(each.run_id for each in self.holders) or "nobody"
        why = {each.run_id: f"Its turn had not come at {_instant(each.deadline)}: run {by} worked." for each in late}
        return self._without_waiting(why)

    def _turned_away(self, run_id: str, draining: Draining) -> Turns:
        sent_away = replace(self, dismissed={**self.dismissed, run_id: draining.reason})
        return replace(sent_away, draining=draining.turning_away(run_id))

    def _latest_alone(self) -> Turns:
        *older, newest = self.queue
        why = f"Run {newest.run_id}, which was started later, waits in its place."
        return self._without_waiting({each.run_id: why for each in older})

    def _without_waiting(self, dismissed: Mapping[str, str]) -> Turns:
        queue = tuple(each for each in self.queue if each.run_id not in dismissed)
        return replace(self, queue=queue, dismissed={**self.dismissed, **dismissed})

    def _granted(self, run_id: str, now: datetime) -> Turns:
        holder = Holder(run_id=run_id, generation=self.generation + 1, acquired_at=iso(now))
        return replace(self, generation=holder.generation, holders=(*self.holders, holder))


def _holder_alone(item: Item) -> tuple[Holder, ...]:
    if "run_id" not in item:
        return ()
    holder = Holder(
        run_id=str(item["run_id"]),
        generation=int(item["generation"]),
        acquired_at=str(item["acquired_at"]),
        fenced=bool(item["fenced"]),
    )
    return (holder,)


def _draining(text: str) -> Draining | None:
    if not text:
        return None
    told = json.loads(text)
    return Draining(since=told["since"], by=told["by"], turned_away=tuple(told["turned_away"]))


def _text(entries: Collection[Any]) -> str:
    return canonical([asdict(each) for each in entries])


def _instant(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M UTC")
