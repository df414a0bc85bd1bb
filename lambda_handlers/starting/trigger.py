"""What a trigger is, as its rule or schedule tells the function that receives it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lambda_handlers.planning.dataset import MOST_OBJECTS

DATASET: Final = "dataset"
SCHEDULE: Final = "schedule"
ALARM: Final = "alarm"
EVENT: Final = "event"
CHAIN: Final = "chain"
SCHEDULED_TIME: Final = "<aws.scheduler.scheduled-time>"
"""What EventBridge Scheduler replaces with the time for which it fires (user guide, "Adding context attributes")."""
KINDS: Final = (DATASET, SCHEDULE, ALARM, EVENT, CHAIN)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trigger:
    """Say what starts runs and how.

    `request` is what the execution input has beside the data that arrived. Runs over arrived data start once nothing
    has arrived for `quiet_seconds`, or something has waited for `longest_seconds`, or `most_objects` wait. Within
    `cool_down_seconds` after a start nothing else is started. `marker` is the name of the object whose folder is the
    dataset. `dataset_path` finds the dataset in an event; with `checkpoint` a run goes on from what the other trained.
    """

    name: str
    kind: str
    request: Mapping[str, Any] = field(default_factory=dict)
    quiet_seconds: int = 0
    longest_seconds: int = 0
    most_objects: int = MOST_OBJECTS
    cool_down_seconds: int = 0
    marker: str | None = None
    dataset_path: str | None = None
    checkpoint: bool = False

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Trigger:
        """Read the form that travels in events and items."""
        return cls(**document)

    def as_dict(self) -> dict[str, Any]:
        """Return the form that travels in events and items; what is as by default is left out."""
        plain = Trigger(name=self.name, kind=self.kind)
        told = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in told.items() if name in _NAMED or value != getattr(plain, name)}

    def as_text(self) -> str:
        """Return that form as JSON."""
        return json.dumps(self.as_dict(), sort_keys=True)

    @property
    def waits(self) -> bool:
        """Whether what arrives waits for more of it."""
        return self.kind == DATASET and self.quiet_seconds > 0

    @property
    def brings_data(self) -> bool:
        """Whether what arrives is itself what a run is about: data or a checkpoint, not only that it is time."""
        return self.kind == DATASET or self.dataset_path is not None or self.checkpoint

    @property
    def merges(self) -> bool:
        """Whether several arrivals become one run: all but events that each ask for a run of their own.

        Of events with data of their own within a cool-down the first has the run; the others did not become part of it.
        """
        return self.kind in (DATASET, SCHEDULE) or (self.cool_down_seconds > 0 and not self.brings_data)


_NAMED: Final = ("name", "kind")
