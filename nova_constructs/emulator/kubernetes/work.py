"""The work of one PyTorchJob, in a thread of its own, from the moment when all its pods run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from nova_constructs.emulator.kubernetes.container import HyperPodContainer
from nova_constructs.emulator.simulators.acting import AccessRefusedError
from nova_constructs.emulator.simulators.container import ContainerError
from nova_constructs.emulator.simulators.container_work import Files, Work, evaluate, train
from nova_constructs.emulator.simulators.playing import Line, play
from nova_constructs.emulator.simulators.settings import settings_for
from nova_constructs.emulator.simulators.state import SimulatorState
from nova_constructs.emulator.simulators.store import Store

_PREPARING, _WORKING, _FINISHING = 0.2, 0.7, 0.1
"""Shares of the time of a job for reading its data, the work itself, and writing its output."""


class _InterruptedError(Exception):
    """The pods were deleted, or the emulator stops."""


class JobWork:
    """One attempt at a job; `done` is told the exit code, unless somebody interrupts."""

    def __init__(
        self, state: SimulatorState, store: Store, container: HyperPodContainer, done: Callable[[int], None]
    ) -> None:
        self._state, self._store, self._container, self._done = state, store, container, done
        self._closed = store.closed
        self._interrupted = threading.Event()
        self._settings = settings_for(state.simulation, container.job.request)
        evaluates = container.image.evaluates
        self._seconds = self._settings.evaluation_seconds if evaluates else self._settings.training_seconds

    def start(self) -> None:
        """Begin in the background."""
        self._store.start(self._run, f"hyperpod-job-{self._container.job.name}")

    def interrupt(self) -> None:
        """End the work where it is."""
        self._interrupted.set()
        self._state.clock.wake()

    def _run(self) -> None:
        try:
            self._work()
        except _InterruptedError:
            return
        except ContainerError as error:
            self._fail(str(error))
        except AccessRefusedError as error:
            self._fail(f"ClientError: {error}")
        except Exception as error:
            if self._closed.is_set():
                return
            self._fail(f"InternalServerError: {type(error).__name__}: {error}")
            raise
        else:
            self._report(0)

    def _work(self) -> None:
        clock, container = self._state.clock, self._container
        with clock.busy():
            container.open_log()
            container.download_inputs()
        self._pause(_PREPARING)
        begun = clock.now()
        with clock.busy():
            plan = evaluate if container.image.evaluates else train
            work = plan(self._state, self._store, container, self._settings, self._seconds * _WORKING)
        self._suffer_faults(work, begun)
        with clock.busy():
            files = work.finish()
        self._play(work, begun)
        self._pause(_FINISHING)
        with clock.busy():
            container.publish(self._without_output(files))

    def _suffer_faults(self, work: Work, begun: datetime) -> None:
        faults, name, tags = self._state.faults, self._container.job.name, self._container.job.tags
        if faults.applies("never_finish", name, tags):
            self._play(work, begun, until=0.0)
            self._wait(datetime.max.replace(tzinfo=begun.tzinfo) - timedelta(days=2))
        if (reason := faults.reason("fail_job", name, tags)) is not None:
            self._play(work, begun, until=0.5)
            raise ContainerError(reason)

    def _without_output(self, files: Files) -> Files:
        job = self._container.job
        if not self._state.faults.applies("omit_output", job.name, job.tags):
            return files
        return {name: body for name, body in files.items() if "manifest" not in name and "eval_results" not in name}

    def _play(self, work: Work, begun: datetime, until: float = 1.0) -> None:
        play(
            work.script,
            begun=begun,
            seconds=self._seconds * _WORKING,
            until=until,
            wait=self._wait,
            write=self._write,
            now=self._state.clock.now,
            ends=(_InterruptedError,),
        )

    def _write(self, lines: Sequence[Line]) -> None:
        if not self._closed.is_set():
            with self._state.clock.busy():
                self._container.log(lines)

    def _pause(self, share: float) -> None:
        self._wait(self._state.clock.now() + timedelta(seconds=self._seconds * share))

    def _wait(self, instant: datetime) -> None:
        reached = self._state.clock.wait_until(instant, self._is_interrupted)
        if not reached or self._is_interrupted():
            raise _InterruptedError

    def _is_interrupted(self) -> bool:
        return self._interrupted.is_set() or self._closed.is_set() or self._state.clock.stopped

    def _fail(self, reason: str) -> None:
        """Write the reason, which only the log keeps, and end with an error."""
        try:
            with self._state.clock.busy():
                self._container.log([(self._state.clock.now(), 1, reason)], "ERROR")
        except ContainerError:
            pass  # what cannot be logged has failed all the same
        self._report(1)

    def _report(self, exit_code: int) -> None:
        if not self._is_interrupted():
            self._done(exit_code)
