"""The life of a training job on the simulated clock: statuses, events, stop, time limit, injected failures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from nova_constructs.emulator.simulators.acting import AccessRefusedError
from nova_constructs.emulator.simulators.container import Container, ContainerError
from nova_constructs.emulator.simulators.container_work import Files, Work, evaluate, train
from nova_constructs.emulator.simulators.image_registry import NovaImage
from nova_constructs.emulator.simulators.playing import Line, play
from nova_constructs.emulator.simulators.settings import settings_for
from nova_constructs.emulator.simulators.state import SimulatorState
from nova_constructs.emulator.simulators.store import Store
from nova_constructs.emulator.simulators.training_job import TrainingJob
from nova_constructs.emulator.simulators.training_log import Script

STATE_CHANGE = "SageMaker Training Job State Change"
_SHARES = {"Starting": 0.08, "Downloading": 0.12, "Training": 0.7, "Uploading": 0.1}
_STOPPING_SECONDS = 60.0
_LONGEST_PENDING = 28 * 86400
_REASON_LIMIT = 1024


class _StopRequestedError(Exception):
    """Somebody asked for the job to stop."""


class _NoCapacityError(Exception):
    """The job was pending for MaxPendingTimeInSeconds."""


class _OutOfTimeError(Exception):
    """The job reached MaxRuntimeInSeconds."""


class _AbandonedError(Exception):
    """The emulator stopped or forgot the job."""


class JobRun:
    """Runs one job in a thread of its own."""

    def __init__(self, state: SimulatorState, store: Store, job: TrainingJob, image: NovaImage) -> None:
        self._state, self._store, self._job, self._image = state, store, job, image
        self._closed = store.closed
        self._container = Container(state, job, image)
        settings = settings_for(state.simulation, job.request)
        self._seconds = settings.evaluation_seconds if image.evaluates else settings.training_seconds
        self._settings = settings
        self._end_of_time: datetime | None = None

    def start(self) -> None:
        """Enter Starting and go on in the background."""
        self._enter("Starting")
        self._store.start(self._run, f"training-job-{self._job.name}")

    def _run(self) -> None:
        try:
            self._live()
        except _AbandonedError:
            return

    def _live(self) -> None:
        try:
            self._work()
        except _StopRequestedError:
            self._stop()
        except _NoCapacityError:
            self._enter("Stopped", status="Stopped")
        except _OutOfTimeError:
            self._enter("MaxRuntimeExceeded", status="Stopped")
        except ContainerError as error:
            self._fail(str(error))
        except AccessRefusedError as error:
            self._fail(f"ClientError: {error}")
        except _AbandonedError:
            raise
        except Exception as error:
            if self._closed.is_set():
                raise _AbandonedError from error
            self._fail(f"InternalServerError: {type(error).__name__}: {error}")
            raise

    def _work(self) -> None:
        self._await_capacity()
        self._pause("Starting")
        self._enter("Downloading")
        limit = (self._job.request.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds", 86400)
        self._end_of_time = self._state.clock.now() + timedelta(seconds=limit)
        with self._state.clock.busy():
            self._container.pull_image()
            self._container.open_log()
            self._container.download_inputs()
        self._pause("Downloading")
        self._enter("Training")
        with self._state.clock.busy():
            work = self._planned()
        self._suffer_faults(work.script)
        with self._state.clock.busy():
            files = work.finish()
        self._play(work.script)
        self._enter("Uploading")
        with self._state.clock.busy():
            replaced = self._state.faults.content("replace_output", self._job.name, self._job.tags)
            self._container.upload(self._without_output(files), replaced)
        self._pause("Uploading")
        self._enter("Completed", status="Completed")

    def _await_capacity(self) -> None:
        wanted = str(self._job.request["ResourceConfig"]["InstanceType"])
        reason = self._state.faults.reason("no_capacity", self._job.name, self._job.tags, wanted)
        if reason is None:
            return
        limit = (self._job.request.get("StoppingCondition") or {}).get("MaxPendingTimeInSeconds", _LONGEST_PENDING)
        self._wait_until(self._job.created + timedelta(seconds=limit))
        if reason:
            raise ContainerError(reason)
        raise _NoCapacityError

    def _planned(self) -> Work:
        plan = evaluate if self._image.evaluates else train
        seconds = self._seconds * _SHARES["Training"]
        return plan(self._state, self._store, self._container, self._settings, seconds)

    def _suffer_faults(self, script: Script) -> None:
        faults, name, tags = self._state.faults, self._job.name, self._job.tags
        if faults.applies("never_finish", name, tags):
            self._play(script, until=0.0)
            self._wait_until(datetime.max.replace(tzinfo=self._job.created.tzinfo) - timedelta(days=2))
        if (reason := faults.reason("fail_job", name, tags)) is not None:
            self._play(script, until=0.5)
            with self._state.clock.busy():
                self._container.log([(self._state.clock.now(), 1, reason)], "ERROR")
            raise ContainerError(reason)
        if faults.applies("stop_job", name, tags):
            self._play(script, until=0.5)
            raise _StopRequestedError

    def _play(self, script: Script, until: float = 1.0) -> None:
        """Spend a share of the time in Training, and write the lines whose time has come every now and then."""
        play(
            script,
            begun=self._job.modified or self._job.created,
            seconds=self._seconds * _SHARES["Training"],
            until=until,
            wait=self._wait_until,
            write=self._write,
            now=self._state.clock.now,
            ends=(_StopRequestedError, _OutOfTimeError),
        )

    def _write(self, lines: Sequence[Line]) -> None:
        with self._state.clock.busy():
            self._container.log(lines)

    def _without_output(self, files: Files) -> Files:
        if not self._state.faults.applies("omit_output", self._job.name, self._job.tags):
            return files
        return {name: body for name, body in files.items() if "manifest" not in name and "eval_results" not in name}

    def _stop(self) -> None:
        if self._job.secondary_status != "Stopping":
            self._enter("Stopping", status="Stopping")
        ends = self._state.clock.now() + timedelta(seconds=_STOPPING_SECONDS)
        self._state.clock.wait_until(ends, self._closed.is_set)
        self._enter("Stopped", status="Stopped")

    def _fail(self, reason: str) -> None:
        self._job.failure_reason = reason[:_REASON_LIMIT]
        self._enter("Failed", status="Failed", message=reason[:_REASON_LIMIT])

    def _pause(self, phase: str) -> None:
        """Wait until the phase that the job has entered has taken its time."""
        seconds = self._seconds * _SHARES[phase]
        begun = self._job.modified or self._job.created
        self._wait_until(begun + timedelta(seconds=seconds))

    def _wait_until(self, instant: datetime) -> None:
        limit = self._end_of_time
        clock = self._state.clock
        reached = clock.wait_until(min(instant, limit) if limit else instant, self._interrupted)
        if self._closed.is_set() or clock.stopped:
            raise _AbandonedError
        if not reached or self._job.stop_requested.is_set():
            raise _StopRequestedError
        if limit and limit <= instant:
            raise _OutOfTimeError

    def _interrupted(self) -> bool:
        return self._job.stop_requested.is_set() or self._closed.is_set()

    def _enter(self, secondary: str, *, status: str = "InProgress", message: str | None = None) -> None:
        if self._closed.is_set():
            raise _AbandonedError
        with self._store.lock:
            if status == "InProgress" and self._job.stop_requested.is_set():
                raise _StopRequestedError
            self._job.enter(secondary, self._state.clock.now(), status, message)
            detail = self._job.event_detail()
        announce(self._state, self._job, detail)


def announce(state: SimulatorState, job: TrainingJob, detail: dict[str, object]) -> None:
    """Put the state-change event of a job on the bus."""
    with state.clock.busy():
        state.put_service_event("aws.sagemaker", STATE_CHANGE, detail, [job.arn])
