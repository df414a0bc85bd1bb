"""The trigger of every customization unless it is given others: data that arrives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aws_cdk import Duration

from lambda_handlers.datasets.reading.source_format import kind_of
from lambda_handlers.planning.dataset import MOST_OBJECTS
from lambda_handlers.starting import trigger as kinds
from nova_constructs.artifact_store import DATASETS_PREFIX
from nova_constructs.trigger import SOME_DATASET, Trigger, words


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetArrives(Trigger):
    """An object is written below `prefix` (default datasets/, and always below it) of the incoming bucket.

    Runs start once nothing has been written for `quiet` (default 1 minute; 0 starts one run for each object), or the
    first has waited for `longest` (default 1 hour), over all that came, at most `most_objects` (default and at most
    250) in a run; the rest follows when that run has ended. `suffix` limits the names. With a `marker`, such as
    _SUCCESS or _manifest.json, only an object of that name starts a run, and its folder is the dataset.
    """

    prefix: str = DATASETS_PREFIX
    suffix: str | None = None
    marker: str | None = None
    quiet: Duration = field(default_factory=lambda: Duration.minutes(1))
    longest: Duration = field(default_factory=lambda: Duration.hours(1))
    most_objects: int = MOST_OBJECTS

    @property
    def kind(self) -> str:
        """The kind that stands in the record of a run."""
        return kinds.DATASET

    def when(self) -> str:
        """Say in words when a run starts."""
        if self.marker:
            what = f"when an object named {self.marker} is written in {self.prefix}…, over the folder it is in"
        else:
            names = f"…{self.suffix}" if self.suffix else "…"
            what = f"when objects are written to {self.prefix}{names} of the incoming bucket"
        if not self.quiet.to_seconds():
            return f"{what}, at once"
        return f"{what}, once nothing has come for {words(self.quiet)}, over at most {self.most_objects} objects"

    def settings(self, bucket_name: str) -> dict[str, Any]:
        """Return the trigger as the function reads it, but for name and kind."""
        return {
            **Trigger.settings(self, bucket_name),
            "quiet_seconds": round(self.quiet.to_seconds()),
            "longest_seconds": round(self.longest.to_seconds()),
            "most_objects": self.most_objects if self.quiet.to_seconds() else 1,
            **({"marker": self.marker} if self.marker else {}),
        }

    def keys(self) -> list[Any]:
        """Return the matchers of the key in an event pattern."""
        if self.marker:
            at_once = [f"{self.prefix}{self.marker}"] if self.prefix.endswith("/") else []
            return [*at_once, {"wildcard": f"{_literal(self.prefix)}*/{_literal(self.marker)}"}]
        if self.suffix:
            return [{"wildcard": f"{_literal(self.prefix)}*{_literal(self.suffix)}"}]
        return [{"prefix": self.prefix}]

    def _example_input(self) -> dict[str, Any]:
        return self._request(SOME_DATASET)

    def _own_problems(self) -> Iterable[str]:
        if not self.prefix.startswith(DATASETS_PREFIX):
            yield f"prefix is {self.prefix!r}: begin with {DATASETS_PREFIX}, which is what runs may read"
        if self.suffix and self.marker:
            yield "suffix and marker are both given: give one of them"
        if self.marker is not None and (not self.marker or "/" in self.marker):
            yield f"marker is {self.marker!r}: give the name of an object without its folder, such as _SUCCESS"
        if self.marker and kind_of(self.marker) and self.marker[0] not in "._":
            yield (
                f"marker is {self.marker!r}, which a run would read as data of the folder: give a name that begins "
                "with _ or that tells no format, such as _SUCCESS or _manifest.json"
            )
        if not 1 <= self.most_objects <= MOST_OBJECTS:
            yield f"most_objects is {self.most_objects}: use 1 to {MOST_OBJECTS}"
        if not 0 <= self.quiet.to_seconds() <= self.longest.to_seconds() <= 86_400:
            quiet, longest = words(self.quiet), words(self.longest)
            yield f"quiet is {quiet} and longest {longest}: use at most a day, and a quiet that is not longer"
        if "dataset" in self.request:
            yield "request.dataset is given, but the dataset is what arrives: leave it out"


def _literal(text: str) -> str:
    """Return a text that stands for itself in a wildcard matcher."""
    return text.replace("\\", "\\\\").replace("*", "\\*")
