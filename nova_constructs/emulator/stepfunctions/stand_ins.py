"""Stand-ins for datetime, time and threading, so that moto's own code keeps the emulator's clock."""

from __future__ import annotations

import datetime as real_datetime
import sys
import threading as real_threading
import time as real_time
from types import ModuleType, SimpleNamespace
from typing import Any

from nova_constructs.emulator.clock import SimulatedClock
from nova_constructs.emulator.patches import Patches

_CLOCKED_MODULES = ("moto.core.utils", "moto.stepfunctions.", "moto.events.", "moto.scheduler.")


def patch_time(clock: SimulatedClock, patches: Patches) -> None:
    """Replace the time sources in moto's interpreter and in the helpers that make its timestamps."""
    stand_ins = _stand_ins(clock)
    for name, module in list(sys.modules.items()):
        if name.startswith(_CLOCKED_MODULES):
            for attribute, before, after in stand_ins:
                if vars(module).get(attribute) is before:
                    patches.replace(module, attribute, after)


def _stand_ins(clock: SimulatedClock) -> list[tuple[str, Any, Any]]:
    moment = _datetime_class(clock)
    event, thread = _event_class(clock), thread_class(clock)
    return [
        ("datetime", real_datetime, _namespace(real_datetime, datetime=moment)),
        ("datetime", real_datetime.datetime, moment),
        ("time", real_time, _namespace(real_time, time=lambda: clock.now().timestamp(), sleep=clock.sleep)),
        ("threading", real_threading, _namespace(real_threading, Event=event, Thread=thread)),
        ("Event", real_threading.Event, event),
        ("Thread", real_threading.Thread, thread),
    ]


def _namespace(module: ModuleType, **replaced: Any) -> SimpleNamespace:
    return SimpleNamespace(**{**vars(module), **replaced})


def _datetime_class(clock: SimulatedClock) -> type[real_datetime.datetime]:
    class AnyDatetime(type):
        """Recognize every datetime, since values keep the real class."""

        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, real_datetime.datetime)

    class SimulatedDatetime(real_datetime.datetime, metaclass=AnyDatetime):
        @classmethod
        def now(cls, tz: real_datetime.tzinfo | None = None) -> Any:
            """Return the simulated instant; naive and in UTC without a time zone, as moto stores it."""
            now = clock.now()
            return now.astimezone(tz) if tz else now.replace(tzinfo=None)

        @classmethod
        def utcnow(cls) -> Any:
            """Return the simulated instant in UTC, naive."""
            return clock.now().replace(tzinfo=None)

    return SimulatedDatetime


def _event_class(clock: SimulatedClock) -> type:
    class SimulatedEvent:
        """threading.Event whose timeouts are simulated seconds and whose waits are idle."""

        def __init__(self) -> None:
            self._flag = False

        def is_set(self) -> bool:
            return self._flag

        def set(self) -> None:
            self._flag = True
            clock.wake()

        def clear(self) -> None:
            self._flag = False

        def wait(self, timeout: float | None = None) -> bool:
            return clock.wait_for(self.is_set, timeout)

    return SimulatedEvent


def thread_class(clock: SimulatedClock) -> type[real_threading.Thread]:
    """Return the class of threads that run on a clock."""

    class SimulatedThread(real_threading.Thread):
        """Thread that keeps the clock busy from its start until it ends, and joins in simulated seconds."""

        _finished = False

        def start(self) -> None:
            # Whoever starts the thread may wait for it at once: time must not leap before the thread gets going.
            self._started_busy = clock.hold()
            try:
                super().start()
            except BaseException:
                self._started_busy()
                raise

        def run(self) -> None:
            with clock.busy():
                self._started_busy()
                super().run()
            self._finished = True
            clock.wake()

        def is_alive(self) -> bool:
            return super().is_alive() and not self._finished

        def join(self, timeout: float | None = None) -> None:
            clock.wait_for(lambda: self._finished, timeout)

    return SimulatedThread
