"""Faults of one API server: errors, silence, lost answers, tokens that expire."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault; it ends after `remaining` requests or at an instant, whichever is first given."""

    kind: Literal["error", "hang", "lose"]
    verb: str | None
    resource: str | None
    remaining: int | None
    until: datetime | None
    status: int = 500
    message: str = ""
    retry_after: int | None = None


@dataclass(slots=True)
class ApiFaults:
    """What to inject. `verb` (get, list, create, delete) and `resource` (pytorchjobs) narrow it; `times` requests or
    `seconds` of the emulator's clock end it, and without either it goes on until `clear`.
    """

    now: Callable[[], datetime]
    expire: Callable[[], None]
    fired: list[str] = field(default_factory=list)
    _faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def error(
        self,
        status: int = 500,
        message: str = "Internal error occurred: etcdserver: request timed out",
        *,
        verb: str | None = None,
        resource: str | None = None,
        times: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Answer with a Status of this code, and do nothing."""
        self._add("error", verb, resource, times, seconds, status=status, message=message)

    def throttle(self, *, retry_after: int = 1, times: int | None = 1, seconds: float | None = None) -> None:
        """Answer 429 with Retry-After, as a server with too much to do."""
        message = "too many requests, please try again later"
        self._add("error", None, None, times, seconds, status=429, message=message, retry_after=retry_after)

    def hang(
        self,
        *,
        verb: str | None = None,
        resource: str | None = None,
        times: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Take requests and never answer; each connection ends with the fault, the caller or the emulator."""
        self._add("hang", verb, resource, times, seconds)

    def lose_response(self, verb: str = "create", resource: str | None = None, times: int = 1) -> None:
        """Do what is asked, then drop the connection."""
        self._add("lose", verb, resource, times, None)

    def expire_tokens(self) -> None:
        """Let every token that was used so far be too old."""
        self.expire()

    def clear(self) -> None:
        """End all faults."""
        with self._lock:
            self._faults.clear()

    def take(self, kind: str, verb: str, resource: str) -> Fault | None:
        """Return the fault of this kind that hits a request, using it up."""
        with self._lock:
            for fault in self._faults:
                if self._hits(fault, kind, verb, resource):
                    fault.remaining = None if fault.remaining is None else fault.remaining - 1
                    self.fired.append(kind)
                    return fault
        return None

    def goes_on(self, fault: Fault) -> bool:
        """Tell whether a fault has not ended."""
        return fault in self._faults and (fault.until is None or self.now() < fault.until)

    def _hits(self, fault: Fault, kind: str, verb: str, resource: str) -> bool:
        return (
            fault.kind == kind
            and fault.remaining != 0
            and fault.verb in (None, verb)
            and fault.resource in (None, resource)
            and (fault.until is None or self.now() < fault.until)
        )

    def _add(
        self,
        kind: Literal["error", "hang", "lose"],
        verb: str | None,
        resource: str | None,
        times: int | None,
        seconds: float | None,
        *,
        status: int = 500,
        message: str = "",
        retry_after: int | None = None,
    ) -> None:
        until = None if seconds is None else self.now() + timedelta(seconds=seconds)
        fault = Fault(
            kind=kind,
            verb=verb,
            resource=resource,
            remaining=times,
            until=until,
            status=status,
            message=message,
            retry_after=retry_after,
        )
        with self._lock:
            self._faults.append(fault)
