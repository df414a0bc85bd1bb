"""Ctrl-C, SIGTERM and SIGHUP: the first one ends the command at its next safe point, the second one at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType, MappingProxyType, TracebackType
from typing import Any

from nova_constructs.cli.errors import CommandError
from nova_constructs.cli.exits import ExitCode

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STEP_SECONDS = 0.05


class InterruptError(CommandError):
    """Say that Ctrl-C ended the command; the exit code is the one shells expect."""

    exit_code = ExitCode.INTERRUPTED

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}; nothing is left running")


class TerminatedError(InterruptError):
    """Say that SIGTERM ended the command."""

    exit_code = ExitCode.TERMINATED


class HungUpError(InterruptError):
    """Say that SIGHUP ended the command."""

    exit_code = ExitCode.HUNG_UP


_ERRORS: Mapping[int, type[InterruptError]] = MappingProxyType(
    {signal.SIGTERM: TerminatedError, signal.SIGHUP: HungUpError}
)


def _error(number: int) -> InterruptError:
    return _ERRORS.get(number, InterruptError)(number)


class _Break(KeyboardInterrupt):
    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def breaking_in() -> Iterator[None]:
    """Let SIGTERM and SIGHUP break into the block as Ctrl-C does, once; they end it as an InterruptError.

    For work that cleans up after itself wherever it is broken off. A signal that is ignored (`nohup`) stays ignored.
    Outside the main thread, where no signal arrives, this does nothing.
    """
    previous: dict[int, Any] = {}

    def break_in(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 -- signal's signature
        for each in previous:
            signal.signal(each, signal.SIG_IGN)  # nothing breaks into the clean-up
        raise _Break(number)

    if threading.current_thread() is threading.main_thread():
        wanted = (signal.SIGTERM, signal.SIGHUP)
        previous.update({each: found for each in wanted if (found := signal.getsignal(each)) != signal.SIG_IGN})
    try:
        for number in previous:
            signal.signal(number, break_in)
        yield
    except _Break as broken:
        raise _error(broken.number) from None
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class Interrupts:
    """Record signals instead of letting them break in, so that whatever was started is known and can be ended.

    Use as a context manager in the main thread, around everything that must be cleaned up. A second Ctrl-C, when
    something hangs and the first one was not taken, raises KeyboardInterrupt. Once the command ends, for whatever
    reason, nothing breaks into its clean-up.
    """

    def __init__(self, *, announce: bool = True) -> None:
        self.number: int | None = None
        self._announce = announce
        self._ending = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        for number in _SIGNALS:
            self._previous[number] = signal.signal(number, self._record)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def end(self) -> None:
        """Begin the clean-up: from here on signals are only recorded."""
        self._ending = True

    def check(self) -> None:
        """Raise InterruptError if a signal has come; the clean-up has then begun."""
        if self.number is not None:
            self.end()
            raise _error(self.number)

    def wait(self, seconds: float) -> None:
        """Sleep for real seconds; raise InterruptError within 0.05 s of a signal."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, _STEP_SECONDS))
        self.check()

    def _record(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 -- signal's signature
        if self._ending:
            self.number = self.number or number
            return
        if self.number is not None:
            self.end()
            raise KeyboardInterrupt
        self.number = number
        if self._announce:
            os.write(2, b"\nStopping ...\n")
