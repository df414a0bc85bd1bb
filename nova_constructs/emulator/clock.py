"""The one clock of the emulator.

Simulated time runs at the speed of real time while anything is busy (a request, a function, a delivery) and `speed`
times faster while everything waits, so that code never sees time jump under its feet and long waits stay short.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

_POLL_SECONDS = 0.05
"""How often a wait asks whether it was cancelled, in real seconds."""


@dataclass(slots=True, order=True)
class TimerHandle:
    """A scheduled call; `cancel` it and it never runs."""

    due: float
    order: int
    function: Callable[[], object] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """Drop the call unless it already started."""
        self.cancelled = True


class SimulatedClock:
    """Clock that starts at the real instant and runs `speed` times faster while nothing is busy."""

    def __init__(self, speed: float = 600.0) -> None:
        if speed < 1:
            raise ValueError(f"speed must be at least 1, got {speed}")
        self.speed = speed
        self._changed = threading.Condition()
        self._epoch = datetime.now(UTC)
        self._simulated_mark = 0.0
        self._real_mark = time.monotonic()
        self._holders = 0
        self._held = threading.local()
        self._timers: list[TimerHandle] = []
        self._order = itertools.count()
        self._timer_thread: threading.Thread | None = None
        self._stopped = False

    def monotonic(self) -> float:
        """Return the simulated seconds since the clock was made."""
        with self._changed:
            return self._elapsed()

    def now(self) -> datetime:
        """Return the simulated instant, aware and in UTC."""
        return self._epoch + timedelta(seconds=self.monotonic())

    def offset(self) -> float:
        """Return the seconds by which simulated time is ahead of real time now."""
        return (self.now() - datetime.now(UTC)).total_seconds()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Keep simulated time at the speed of real time for as long as the block runs."""
        self._hold(1)
        try:
            yield
        finally:
            self._hold(-1)

    def hold(self) -> Callable[[], None]:
        """Keep the clock busy, whatever thread goes on with the work, until the returned function is called."""
        self._count(1)
        pending = [True]

        def release() -> None:
            if pending:
                pending.pop()
                self._count(-1)

        return release

    @contextmanager
    def released(self) -> Iterator[None]:
        """Suspend what this thread holds busy, for a block that only waits for something else."""
        depth = self._depth()
        self._hold(-depth)
        try:
            yield
        finally:
            self._hold(depth)

    def wait_until(self, instant: datetime, cancelled: Callable[[], bool] | None = None) -> bool:
        """Wait for a simulated instant and tell whether it was reached (False: cancelled or stopped)."""
        return self._wait((instant - self._epoch).total_seconds(), cancelled)

    def sleep(self, seconds: float, cancelled: Callable[[], bool] | None = None) -> bool:
        """Wait for some simulated seconds and tell whether they passed (False: cancelled or stopped)."""
        return self._wait(self.monotonic() + seconds, cancelled)

    def wait_for(self, happened: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait until something happened, at most some simulated seconds; `wake` the clock when it did."""
        with self.released(), self._changed:
            due = None if seconds is None else self._elapsed() + seconds
            while not happened():
                left = None if due is None else due - self._elapsed()
                if self._stopped or (left is not None and left <= 0):
                    return happened()
                self._changed.wait(None if left is None else left / self._rate())
        return True

    def wake(self) -> None:
        """Let every wait look again at what it waits for."""
        with self._changed:
            self._changed.notify_all()

    @property
    def is_busy(self) -> bool:
        """Tell whether anything holds simulated time at the speed of real time."""
        return self._holders > 0

    def call_at(self, instant: datetime, function: Callable[[], object]) -> TimerHandle:
        """Run a short function on the timer thread at a simulated instant."""
        return self._schedule((instant - self._epoch).total_seconds(), function)

    def call_later(self, seconds: float, function: Callable[[], object]) -> TimerHandle:
        """Run a short function on the timer thread after some simulated seconds."""
        return self._schedule(self.monotonic() + seconds, function)

    def cancel_timers(self) -> None:
        """Drop every scheduled call."""
        with self._changed:
            for timer in self._timers:
                timer.cancelled = True
            self._timers.clear()

    def stop(self) -> None:
        """End all waits and the timer thread; the clock can still be read."""
        self.cancel_timers()
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        thread = self._timer_thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=5)

    @property
    def stopped(self) -> bool:
        """Tell whether the clock was stopped."""
        return self._stopped

    def _rate(self) -> float:
        return 1.0 if self._holders else self.speed

    def _elapsed(self) -> float:
        return self._simulated_mark + (time.monotonic() - self._real_mark) * self._rate()

    def _depth(self) -> int:
        return getattr(self._held, "depth", 0)

    def _hold(self, change: int) -> None:
        self._held.depth = self._depth() + change
        if change:
            self._count(change)

    def _count(self, change: int) -> None:
        with self._changed:
            elapsed, rate = self._elapsed(), self._rate()
            self._holders += change
            if self._rate() != rate:
                self._simulated_mark, self._real_mark = elapsed, time.monotonic()
                self._changed.notify_all()

    def _wait(self, due: float, cancelled: Callable[[], bool] | None) -> bool:
        with self.released(), self._changed:
            while not self._stopped:
                left = due - self._elapsed()
                if left <= 0:
                    return True
                if cancelled is not None and cancelled():
                    return False
                real = left / self._rate()
                self._changed.wait(min(real, _POLL_SECONDS) if cancelled else real)
        return False

    def _schedule(self, due: float, function: Callable[[], object]) -> TimerHandle:
        handle = TimerHandle(due, next(self._order), function)
        with self._changed:
            if self._stopped:
                handle.cancelled = True
                return handle
            heapq.heappush(self._timers, handle)
            if self._timer_thread is None:
                self._timer_thread = threading.Thread(target=self._run_timers, name="emulator-clock", daemon=True)
                self._timer_thread.start()
            self._changed.notify_all()
        return handle

    def _run_timers(self) -> None:
        while (timer := self._next_timer()) is not None:
            with self.busy():
                if not timer.cancelled:
                    run_reporting_errors(timer.function)

    def _next_timer(self) -> TimerHandle | None:
        with self._changed:
            while not self._stopped:
                left = self._timers[0].due - self._elapsed() if self._timers else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._timers)
                self._changed.wait(None if left is None else left / self._rate())
        return None


def run_reporting_errors(function: Callable[[], object]) -> None:
    """Run a background function; what it raises goes to the thread hook and stops nothing else."""
    try:
        function()
    except Exception as error:
        thread = threading.current_thread()
        threading.excepthook(threading.ExceptHookArgs((type(error), error, error.__traceback__, thread)))
