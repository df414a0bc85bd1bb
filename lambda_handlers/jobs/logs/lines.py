"""One line of a job's log, and what a reader is told beside the lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class LogLine:
    """Hold one log event: the message as the container wrote it, which may hold control characters and line breaks."""

    job: str
    stream: str
    milliseconds: int
    """Since the epoch, as the service keeps it."""
    message: str

    @property
    def time(self) -> datetime:
        """Return the instant of the event, aware, in UTC."""
        return _EPOCH + timedelta(milliseconds=self.milliseconds)

    @property
    def node(self) -> str:
        """Return the instance that wrote the line: `algo-1` and so on, or the id of a cluster's node."""
        return node_of(self.stream)


class NoticeKind(StrEnum):
    """What there is to tell beside the lines."""

    NO_STREAM = "no_stream"
    """The job has no log stream, or no line of its cluster's log names it: its container has not started, or never did,
    or the logs have expired."""
    LOST_STREAM = "lost_stream"
    """A stream was there and is gone: somebody deleted it, or all of it has expired."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """Tell something about a job's streams; each is told once."""

    kind: NoticeKind
    job: str
    stream: str = ""


Notify = Callable[[Notice], object]


def ignore(notice: Notice) -> None:
    """Take a notice and do nothing."""


def node_of(stream: str) -> str:
    """Return `algo-1` of a stream named `<job>/algo-1-<seconds>`; the whole name after the slash where it is not so."""
    last = stream.rpartition("/")[2]
    node, dash, started = last.rpartition("-")
    return node if dash and started.isdigit() and node.startswith("algo-") else last


def milliseconds(moment: datetime) -> int:
    """Return the milliseconds since the epoch of an aware instant; raise ValueError for one without a time zone."""
    if moment.tzinfo is None:
        raise ValueError(f"the instant {moment.isoformat()} has no time zone: which moment it is cannot be known")
    return (moment - _EPOCH) // timedelta(milliseconds=1)
