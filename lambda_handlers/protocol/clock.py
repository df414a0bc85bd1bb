"""The one source of time of every handler; whatever hosts a function may install another."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tell the time."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...


class SystemClock:
    """Tell the system's time."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return datetime.now(UTC)


_installed: Clock = SystemClock()


def current() -> Clock:
    """Return the clock in force."""
    return _installed


def install(clock: Clock) -> None:
    """Make `clock` the clock in force for the whole process."""
    global _installed
    _installed = clock


def iso(instant: datetime) -> str:
    """Return the instant as ISO 8601 in UTC with microseconds, so that texts sort as instants do."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
