"""Functions that run one step at a time, in any order, and that can be stopped at every step."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from greenlet import getcurrent, greenlet

from lambda_handlers.protocol.errors import TransientServiceError


class Command(Enum):
    """What becomes of the step a process has come to."""

    GO = "take it"
    KILL = "the process dies before it"
    KILL_AFTER = "the process dies after it"
    FAIL = "the service refuses it"
    LOSE = "it takes effect, the answer is lost"
    REPEAT = "it takes effect, the answer is lost, and the client library repeats it"


class Killed(BaseException):
    """End a process as the end of its machine would: nothing catches it."""


class Process:
    """Run `work` as a coroutine that moves only when told to, though it is ordinary code all the way down."""

    def __init__(self, scheduler: Scheduler, label: str, work: Callable[[], Any], on_end: Callable[[Process], None]):
        self.label, self.at, self.born = label, "start", scheduler.epoch()
        self.result: Any = None
        self.error: BaseException | None = None
        self.ended = False
        self._work, self._on_end, self._scheduler = work, on_end, scheduler
        self._outside: greenlet = getcurrent()
        self._inside = greenlet(self._main)

    def advance(self, command: Command = Command.GO) -> None:
        """Let the process go on to its next step or its end."""
        self._scheduler.current = self
        self._outside = getcurrent()
        self._inside.switch(command)
        self._scheduler.current = None
        if self.ended:
            self._scheduler.processes.remove(self)
            self._on_end(self)

    def pause(self, label: str) -> Command:
        self.at = label
        return self._outside.switch()  # type: ignore[no-any-return]

    def _main(self, command: Command) -> None:
        try:
            if command in (Command.KILL, Command.KILL_AFTER):
                raise Killed
            self.result = self._work()
        except BaseException as error:
            self.error = error
        self.ended = True
        self._outside.switch()


class Scheduler:
    """Hold the processes and wrap their steps."""

    def __init__(self) -> None:
        self.processes: list[Process] = []
        self.current: Process | None = None
        self.steps = 0
        self.planned: dict[int, Command | Callable[[], None]] = {}
        """What becomes of the n-th step of all, whichever process comes to it: a fault, or something that happens."""

    def epoch(self) -> int:
        raise NotImplementedError

    def start(self, label: str, work: Callable[[], Any], on_end: Callable[[Process], None]) -> Process:
        process = Process(self, label, work, on_end)
        self.processes.append(process)
        return process

    def step(self, label: str, act: Callable[[], Any]) -> Any:
        """Take one step of the current process as it was told to; outside a process just take it."""
        process = self.current
        if process is None:
            return act()
        command = self._planned(process.pause(label))
        if command is Command.KILL:
            raise Killed
        if command is Command.FAIL:
            raise TransientServiceError(f"{label}: refused")
        result = act()
        if command is Command.KILL_AFTER:
            raise Killed
        if command is Command.LOSE:
            raise TransientServiceError(f"{label}: answer lost")
        return act() if command is Command.REPEAT else result

    def _planned(self, command: Command) -> Command:
        self.steps += 1
        planned = self.planned.pop(self.steps, command)
        if isinstance(planned, Command):
            return planned
        process, self.current = self.current, None
        planned()
        self.current = process
        return command

    def kill_all(self) -> None:
        while self.processes:
            self.processes[0].advance(Command.KILL)
