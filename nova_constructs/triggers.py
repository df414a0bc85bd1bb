"""What starts runs by itself: value objects for `NovaCustomization.add_trigger`.

Each says when a run starts (`OnSchedule`, `OnAlarm`, `OnEvent`, `AfterSuccess`, and `DatasetArrives` in a file of its
own) and what it is to do. They create nothing themselves; `trigger_intake.py` makes the rules and schedules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from aws_cdk import Duration, Token
from aws_cdk import aws_cloudwatch as cloudwatch

from lambda_handlers.starting import trigger as kinds
from nova_constructs.artifact_store import DATASETS_PREFIX, UPLOADS_PREFIX
from nova_constructs.trigger import SOME_DATASET, Trigger, words

if TYPE_CHECKING:
    from nova_constructs.customization import NovaCustomization

_CHECKPOINT = "s3://bucket/checkpoint/step_1"
_SCHEDULE = re.compile(r"(rate|cron)\([^()]+\)")
_PATH = re.compile(r"\$(\.[A-Za-z0-9_-]+|\[\d+\])+")
_PATTERN_KEYS = ("account", "detail", "detail-type", "id", "region", "resources", "source", "time", "version")


@dataclass(frozen=True, kw_only=True, slots=True)
class _OverDataset(Trigger):
    """Triggers whose runs are over a dataset that stands fast."""

    dataset: str | None = None

    def _place(self) -> str | None:
        return self.dataset

    def _own_problems(self) -> Iterable[str]:
        if self.dataset is not None and not self.dataset.startswith((DATASETS_PREFIX, UPLOADS_PREFIX)):
            yield (
                f"dataset is {self.dataset!r}: give an object or a folder of the incoming bucket, "
                f"{DATASETS_PREFIX}… or {UPLOADS_PREFIX}…"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class OnSchedule(_OverDataset):
    """It is time: `schedule` is `rate(…)` or `cron(…)` of EventBridge Scheduler, in `time_zone` (default UTC)."""

    schedule: str
    time_zone: str = "UTC"

    @property
    def kind(self) -> str:
        """The kind that stands in the record of a run."""
        return kinds.SCHEDULE

    def when(self) -> str:
        """Say in words when a run starts."""
        return f"at {self.schedule} in the time zone {self.time_zone}{_over(self.dataset)}"

    def _own_problems(self) -> Iterable[str]:
        yield from _OverDataset._own_problems(self)
        fields = self.schedule[5:-1].split()
        if not _SCHEDULE.fullmatch(self.schedule) or (self.schedule.startswith("cron") and len(fields) != 6):
            yield f"schedule is {self.schedule!r}: use rate(1 day), or cron(0 3 * * ? *) with six fields"
        if self.time_zone not in available_timezones():
            yield f"time_zone is {self.time_zone!r}: use a name of the IANA database, such as Europe/Berlin"


@dataclass(frozen=True, kw_only=True, slots=True)
class OnAlarm(_OverDataset):
    """A CloudWatch alarm goes into ALARM: `alarm`, the construct or its ARN.

    Within `cool_down` (default 24 hours) after a start nothing else is started by it, so that a flapping alarm starts
    one run.
    """

    alarm: cloudwatch.IAlarm | str
    cool_down: Duration = field(default_factory=lambda: Duration.hours(24))

    @property
    def kind(self) -> str:
        """The kind that stands in the record of a run."""
        return kinds.ALARM

    @property
    def alarm_arn(self) -> str:
        """The ARN of the alarm."""
        return self.alarm if isinstance(self.alarm, str) else self.alarm.alarm_arn

    def when(self) -> str:
        """Say in words when a run starts."""
        limit = f", at most once in {words(self.cool_down)}"
        return f"when the alarm {self.alarm_arn} goes off{limit}{_over(self.dataset)}"

    def settings(self, bucket_name: str) -> dict[str, Any]:
        """Return the trigger as the function reads it, but for name and kind."""
        return {**Trigger.settings(self, bucket_name), **_cool_down(self.cool_down)}

    def _own_problems(self) -> Iterable[str]:
        yield from _OverDataset._own_problems(self)
        arn = self.alarm_arn
        if not Token.is_unresolved(arn) and not re.fullmatch(r"arn:[^:]+:cloudwatch:[^:]+:\d{12}:alarm:.+", arn):
            yield f"alarm is {arn!r}: give an ARN, arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME"


@dataclass(frozen=True, kw_only=True, slots=True)
class OnEvent(_OverDataset):
    """An event of the default bus fits `pattern`, an EventBridge event pattern.

    Each event starts a run of its own; with a `cool_down`, none within it after a start. The dataset is `dataset`, or
    what stands at `dataset_path` in the event, such as `$.detail.dataset`: an s3:// address or {uri, version_id}, in
    the incoming bucket.
    """

    pattern: Mapping[str, Any]
    dataset_path: str | None = None
    cool_down: Duration | None = None

    @property
    def kind(self) -> str:
        """The kind that stands in the record of a run."""
        return kinds.EVENT

    def when(self) -> str:
        """Say in words when a run starts."""
        limit = f", at most once in {words(self.cool_down)}" if self.cool_down else ""
        over = f", over the dataset at {self.dataset_path} of the event" if self.dataset_path else _over(self.dataset)
        return f"for each event that fits the pattern of its rule{limit}{over}"

    def settings(self, bucket_name: str) -> dict[str, Any]:
        """Return the trigger as the function reads it, but for name and kind."""
        path = {"dataset_path": self.dataset_path} if self.dataset_path else {}
        return {**Trigger.settings(self, bucket_name), **_cool_down(self.cool_down), **path}

    def _example_input(self) -> dict[str, Any]:
        return self._request(SOME_DATASET) if self.dataset_path else Trigger._example_input(self)

    def _own_problems(self) -> Iterable[str]:
        yield from _OverDataset._own_problems(self)
        if not self.pattern:
            yield "pattern is empty, which fits every event: give source or detail-type at the least"
        for key in self.pattern:
            if key not in _PATTERN_KEYS:
                yield f"pattern has the key {key!r}: use {', '.join(_PATTERN_KEYS)}"
        if self.dataset is not None and self.dataset_path is not None:
            yield "dataset and dataset_path are both given: give one of them"
        if self.dataset_path is not None and not _PATH.fullmatch(self.dataset_path):
            yield f"dataset_path is {self.dataset_path!r}: use steps of names and numbers, such as $.detail.dataset"


@dataclass(frozen=True, kw_only=True, slots=True)
class AfterSuccess(_OverDataset):
    """A run of another customization `of` the same account and Region has succeeded, not only ended.

    A run that was skipped, rejected or only checked starts nothing. With `from_checkpoint` (default False) the run goes
    on from the checkpoint that the other one trained.
    """

    of: NovaCustomization
    from_checkpoint: bool = False

    @property
    def kind(self) -> str:
        """The kind that stands in the record of a run."""
        return kinds.CHAIN

    def when(self) -> str:
        """Say in words when a run starts."""
        checkpoint = ", from the checkpoint that it trained" if self.from_checkpoint else ""
        return f"when a run of {self.of.node.path} has succeeded{checkpoint}{_over(self.dataset)}"

    def settings(self, bucket_name: str) -> dict[str, Any]:
        """Return the trigger as the function reads it, but for name and kind."""
        return {**Trigger.settings(self, bucket_name), **({"checkpoint": True} if self.from_checkpoint else {})}

    def _example_input(self) -> dict[str, Any]:
        return {**Trigger._example_input(self), **({"model_path": _CHECKPOINT} if self.from_checkpoint else {})}


def _over(dataset: str | None) -> str:
    return f", over {dataset} of the incoming bucket" if dataset else ""


def _cool_down(duration: Duration | None) -> dict[str, int]:
    return {"cool_down_seconds": round(duration.to_seconds())} if duration else {}
