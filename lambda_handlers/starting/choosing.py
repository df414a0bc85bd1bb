"""Which arrivals of a trigger are due, and which of them become one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lambda_handlers.datasets.reading.source_format import kind_of
from lambda_handlers.planning.dataset import MOST_BYTES_CUT
from lambda_handlers.starting.arrivals import Arrival, is_newer
from lambda_handlers.starting.trigger import DATASET, Trigger


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """The arrivals of one run, in the order of their time, and whether others have to wait for its end."""

    arrivals: tuple[Arrival, ...]
    leaves_some: bool

    @property
    def trigger(self) -> Trigger:
        """The trigger as it was told with the newest arrival: a deployment may have changed it meanwhile."""
        return max(self.arrivals, key=lambda each: each.received).trigger


def superseded(arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Return the older versions among arrivals of the same object."""
    newest: dict[str, Arrival] = {}
    for each in arrivals:
        before = newest.get(each.subject)
        if before is None or is_newer(_sequencer(each), _sequencer(before)):
            newest[each.subject] = each
    return [each for each in arrivals if _sequencer(each) and newest[each.subject] is not each]


def _sequencer(arrival: Arrival) -> str:
    return str(arrival.facts.get("sequencer", ""))


def cooled_down(arrivals: Sequence[Arrival], last_start: datetime | None) -> list[Arrival]:
    """Return what happened within the cool-down after the last start."""
    if last_start is None:
        return []
    return [
        each
        for each in arrivals
        if each.trigger.cool_down_seconds
        and datetime.fromisoformat(each.at) < last_start + timedelta(seconds=each.trigger.cool_down_seconds)
    ]


def choose(arrivals: Sequence[Arrival], now: datetime) -> Batch | None:
    """Return the next run over what waits for one trigger, in the order of its time; None where nothing is due."""
    if not arrivals:
        return None
    trigger = max(arrivals, key=lambda each: each.received).trigger
    if trigger.kind == DATASET:
        return _dataset_batch(arrivals, trigger) if _is_quiet(arrivals, trigger, now) else None
    if trigger.merges:
        return Batch(arrivals=tuple(arrivals), leaves_some=False)
    # Each event asks for a run of its own; whether these stand in each other's way is for the customization to say.
    return Batch(arrivals=(arrivals[0],), leaves_some=False)


def _is_quiet(arrivals: Sequence[Arrival], trigger: Trigger, now: datetime) -> bool:
    received = sorted(datetime.fromisoformat(each.received) for each in arrivals)
    return (
        now - received[-1] >= timedelta(seconds=trigger.quiet_seconds)
        or now - received[0] >= timedelta(seconds=trigger.longest_seconds)
        or len(arrivals) >= trigger.most_objects
    )


def _dataset_batch(arrivals: Sequence[Arrival], trigger: Trigger) -> Batch:
    """Take as many objects of one kind as one run can prepare; a marked folder is a dataset of its own."""
    first = min(arrivals, key=lambda each: (_kind(each) is None, each.at, each.id))
    if trigger.marker:
        return Batch(arrivals=(first,), leaves_some=len(arrivals) > 1)
    chosen: list[Arrival] = []
    size = 0
    for each in arrivals:
        size_with = size + int(each.facts.get("bytes", 0))
        if (
            _kind(each) != _kind(first)
            or len(chosen) == trigger.most_objects
            or (chosen and size_with > MOST_BYTES_CUT)
        ):
            continue
        chosen.append(each)
        size = size_with
    return Batch(arrivals=tuple(chosen), leaves_some=len(chosen) < len(arrivals))


def _kind(arrival: Arrival) -> str | None:
    return "folder" if arrival.subject.endswith("/") else kind_of(arrival.subject)
