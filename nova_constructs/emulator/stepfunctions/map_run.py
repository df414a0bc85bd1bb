"""A Map Run: child workflow executions, so many at a time, until all have ended or too many have failed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.utils import TMP_THREADS

from nova_constructs.emulator.clock import SimulatedClock
from nova_constructs.emulator.stepfunctions.map_child import abort, conclude, new_child
from nova_constructs.emulator.stepfunctions.stand_ins import thread_class

_CONCURRENCY_LIMIT: Final = 10_000


class MapRunAborted(Exception):  # noqa: N818  # what happened, not an error
    """The execution that the Map Run belongs to was stopped or timed out; its children are stopped."""


class TooManyFailedError(Exception):
    """More children failed than the Map state tolerates; the others are stopped."""


@dataclass(slots=True, kw_only=True)
class MapRun:
    """The children of one Map Run; `inputs` gives the input of the child of an item, by its index.

    `record` is moto's description of the Map Run, whose limits are read anew each time, since UpdateMapRun may
    change them. `machine` is moto's state machine.
    """

    clock: SimulatedClock
    environment: Any
    record: Any
    machine: Any
    program: Any
    items: list[Any]
    inputs: Callable[[int], Any]
    children: list[Any] = field(default_factory=list)
    _running: set[int] = field(default_factory=set)
    _failed: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def results(self) -> list[Any]:
        """Run a child for each item and give what they return, in the order of the items.

        Raises MapRunAborted or TooManyFailedError, and whatever `inputs` raises; no child runs on after that.
        """
        self._count("total", len(self.items))
        self._count("pending", len(self.items))
        try:
            for index in range(len(self.items)):
                self.clock.wait_for(self._may_start)
                if self._is_over():
                    break
                self._start(index, self.inputs(index))
            self.clock.wait_for(lambda: self._is_over() or not self._running)
        finally:
            self._stop()
        if self.clock.stopped or not self.environment.is_running():
            raise MapRunAborted
        if self._is_exceeded():
            raise TooManyFailedError
        return [child.output for child in self.children]

    def _may_start(self) -> bool:
        limit = int(self.record.max_concurrency) or _CONCURRENCY_LIMIT
        return self._is_over() or len(self._running) < limit

    def _is_over(self) -> bool:
        return self.clock.stopped or not self.environment.is_running() or self._is_exceeded()

    def _is_exceeded(self) -> bool:
        """Compare with each limit that is given; a limit of 0 is as good as none, and without any none may fail."""
        count = int(self.record.tolerated_failure_count)
        percentage = float(self.record.tolerated_failure_percentage)
        if not count and not percentage:
            return self._failed > 0
        too_large_a_share = 100 * self._failed > percentage * len(self.items)
        return bool(count and self._failed > count) or bool(percentage and too_large_a_share)

    def _start(self, index: int, given: Any) -> None:
        child = new_child(self.environment, self.machine, self.record.map_state_machine_arn, given, self.clock.now())
        self.children.append(child)
        with self._lock:
            self._running.add(index)
        self._count("pending", -1)
        self._count("running", 1)
        thread = thread_class(self.clock)(target=self._live, args=(index, child), daemon=True)
        TMP_THREADS.append(thread)
        thread.start()

    def _live(self, index: int, child: Any) -> None:
        environment = child.exec_worker.env
        try:
            self.program.eval(environment)
        except RuntimeError:
            if environment.is_running():
                raise  # else it was stopped before its first state
        finally:
            self._end(index, child)

    def _end(self, index: int, child: Any) -> None:
        with self._lock:
            if child.exec_status == ExecutionStatus.RUNNING:
                if self.environment.is_running():
                    conclude(child)
                else:
                    abort(child, self.clock.now())
                self._account(child)
            self._running.discard(index)
        self.environment.delete_frame(child.exec_worker.env)
        self.clock.wake()

    def _account(self, child: Any) -> None:
        self._count("running", -1)
        self._count(_COUNTERS[child.exec_status], 1)
        if child.exec_status == ExecutionStatus.SUCCEEDED:
            self._count("results_written", 1)
        elif child.exec_status != ExecutionStatus.ABORTED:
            self._failed += 1

    def _stop(self) -> None:
        """Stop every child that runs; what it has called goes on, but is not waited for."""
        with self._lock:
            for child in self.children:
                if child.exec_status == ExecutionStatus.RUNNING:
                    abort(child, self.clock.now())
                    self._account(child)
        self.clock.wake()

    def _count(self, name: str, change: int) -> None:
        for counter in (self.record.item_counter, self.record.execution_counter):
            getattr(counter, name).offset(change)


_COUNTERS: Final = {
    ExecutionStatus.SUCCEEDED: "succeeded",
    ExecutionStatus.FAILED: "failed",
    ExecutionStatus.ABORTED: "aborted",
    ExecutionStatus.TIMED_OUT: "timed_out",
}
