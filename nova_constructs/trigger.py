"""What every trigger has: what its runs are to do, and what cannot work."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aws_cdk import Duration

from lambda_handlers.planning.execution_input import ExecutionInput
from lambda_handlers.planning.modes import FULL
from lambda_handlers.protocol.errors import InvalidRequest

SOME_DATASET: Final = "s3://bucket/datasets/some.jsonl"
"""Stands in an example of an execution input for data that is known only when it has arrived."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trigger(ABC):
    """What every trigger has.

    `mode` (default full) and `force` (default False) are those of the execution input, `request` is whatever else it
    is to have, for example `{"model": "production"}` with mode evaluate. The same data again ends `SKIPPED` without
    `force`. `dataset` is an object, or with a slash at its end a folder, of the incoming bucket: `datasets/…` or
    `uploads/…`.
    """

    mode: str = FULL.name
    force: bool = False
    request: Mapping[str, Any] = field(default_factory=dict)

    @property
    @abstractmethod
    def kind(self) -> str:
        """The kind that stands in the record of a run."""

    @abstractmethod
    def when(self) -> str:
        """Say in words when a run starts, as the end of "A run starts …"."""

    def problems(self) -> Iterable[str]:
        """Yield what cannot work."""
        yield from self._own_problems()
        try:
            ExecutionInput.parse(self._example_input())
        except InvalidRequest as invalid:
            yield from invalid.problems

    def settings(self, bucket_name: str) -> dict[str, Any]:
        """Return the trigger as the function reads it, but for name and kind."""
        place = self._place()
        return {"request": self._request(f"s3://{bucket_name}/{place}" if place else None)}

    def _request(self, dataset: str | None) -> dict[str, Any]:
        return {
            **self.request,
            **({"mode": self.mode} if self.mode != FULL.name else {}),
            **({"force": True} if self.force else {}),
            **({"dataset": {"uri": dataset}} if dataset else {}),
        }

    def _place(self) -> str | None:
        """Return the dataset that every run is over, if there is one."""
        return None

    def _example_input(self) -> dict[str, Any]:
        """Return an execution input as the runs have it, with something for what is known only then."""
        place = self._place()
        return self._request(f"s3://bucket/{place}" if place else None)

    @abstractmethod
    def _own_problems(self) -> Iterable[str]:
        """Yield what cannot work beside the execution input."""


def words(duration: Duration) -> str:
    """Return a duration in words, in the largest unit that fits."""
    seconds = round(duration.to_seconds())
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds and seconds % size == 0:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds} seconds"
