"""The protocol as one: any interleaving, any interruption, events that come twice, late, early or never."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lambda_handlers.jobs.driver import JobStatus
from lambda_handlers.protocol.lock import RunLock
from lambda_handlers.protocol.turns import Concurrency
from tests.protocol.protocol_processes import Command
from tests.protocol.protocol_rules import check_always, check_at_rest, come_to_rest
from tests.protocol.protocol_world import TYPES, Execution, Job, World

logging.disable(logging.CRITICAL)

_FAULTS = st.sampled_from([command for command in Command if command is not Command.GO])


class ProtocolModel(RuleBasedStateMachine):
    """Run executions of the workflow against the protocol, one step of one function at a time."""

    policies = (Concurrency.SKIP,)
    most_runs = 3

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.drained_at = 0

    @initialize(data=st.data(), fingerprint=st.sampled_from("ABCD"), groups=st.integers(0, 3))
    def first_run(self, data: st.DataObject, fingerprint: str, groups: int) -> None:
        self.world.policy = data.draw(st.sampled_from(self.policies))
        self.world.start_execution(fingerprint)
        self.proceed(groups)
        self._finish_all()

    @precondition(lambda self: len(self.world.executions) < self.most_runs)
    @rule(fingerprint=st.sampled_from("ABCD"))
    def another_run(self, fingerprint: str) -> None:
        self.world.start_execution(fingerprint)

    @precondition(lambda self: self.world.processes)
    @rule(data=st.data(), steps=st.integers(1, 6))
    def work(self, data: st.DataObject, steps: int) -> None:
        process = self._pick(data, self.world.processes)
        for _ in range(steps):
            if not process.ended:
                process.advance()
                check_always(self.world)

    @precondition(lambda self: self.world.processes)
    @rule(data=st.data(), fault=_FAULTS)
    def interrupt(self, data: st.DataObject, fault: Command) -> None:
        self._pick(data, self.world.processes).advance(fault)

    @precondition(lambda self: self.world.processes)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        process = self._pick(data, self.world.processes)
        while not process.ended:
            process.advance()
            check_always(self.world)

    @rule(groups=st.integers(1, 3))
    def proceed(self, groups: int) -> None:
        """Bring the runs on by whole stages, so that examples reach the later ones."""
        for _ in range(groups):
            self._finish_all()
            for job in self._live():
                self.world.end_job(job, JobStatus.COMPLETED)
            self.world.start_reconciler()
            self._finish_all()

    @precondition(lambda self: self._live())
    @rule(data=st.data(), how=st.sampled_from(["COMPLETED", "COMPLETED", "FAILED", "CAPACITY", "STOPPED"]))
    def end_job(self, data: st.DataObject, how: str) -> None:
        failed = how == "CAPACITY"
        status = JobStatus.FAILED if failed else JobStatus(how)
        self.world.end_job(self._pick(data, self._live()), status, "CapacityUnavailable" if failed else "")

    @rule(refused=st.sets(st.sampled_from(TYPES)))
    def quota(self, refused: set[str]) -> None:
        self.world.refused = refused

    @precondition(lambda self: self.world.job_events)
    @rule(data=st.data(), lost=st.booleans())
    def job_event(self, data: st.DataObject, lost: bool) -> None:
        # Events stay in the list, so that each may come again.
        name = self._pick(data, self.world.job_events)
        if lost:
            self.world.job_events.remove(name)
        else:
            self.world.tell_job_event(name)

    @precondition(lambda self: self.world.ended_events)
    @rule(data=st.data(), lost=st.booleans())
    def ended_event(self, data: st.DataObject, lost: bool) -> None:
        ending = self._pick(data, self.world.ended_events)
        if lost:
            self.world.ended_events.remove(ending)
        else:
            self.world.tell_ended(ending)

    @precondition(lambda self: sum(process.label == "reconcile" for process in self.world.processes) < 2)
    @rule()
    def reconcile(self) -> None:
        self.world.start_reconciler()

    @rule(begins=st.booleans())
    def drain(self, begins: bool) -> None:
        lock = RunLock(self.world.control)
        if begins:
            self.drained_at = lock.drain("somebody", self.world.now()).generation
        elif mark := lock.turns().draining:
            assert lock.reopen(mark)

    @invariant()
    def nobody_begins_while_drained(self) -> None:
        turns = RunLock(self.world.control).turns()
        assert not turns.draining or (turns.generation, turns.queue) == (self.drained_at, ())

    @rule(seconds=st.sampled_from([1, 60, 300, 1200, 7 * 3600, 4 * 86400]))
    def pass_time(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @precondition(lambda self: self._waiting())
    @rule(data=st.data(), trouble=st.sampled_from(["lost", "lost", "time-out", "abort"]))
    def trouble(self, data: st.DataObject, trouble: str) -> None:
        execution, stage = self._pick(data, self._waiting())
        if trouble == "lost":
            self.world.lose_invocation(execution, stage)
        elif trouble == "time-out":
            self.world.time_out_state(execution)
        else:
            self.world.abort(execution)

    @precondition(lambda self: self._running())
    @rule(data=st.data(), certain=st.integers(0, 3))
    def abort(self, data: st.DataObject, certain: int) -> None:
        if not certain:
            self.world.abort(self._pick(data, self._running()))

    @rule(lagging=st.booleans())
    def index(self, lagging: bool) -> None:
        self.world.registry_store.lagging = lagging
        if not lagging:
            self.world.registry_store.catch_up()

    @invariant()
    def holds(self) -> None:
        check_always(self.world)

    def teardown(self) -> None:
        try:
            come_to_rest(self.world)
            check_at_rest(self.world)
        finally:
            self.world.kill_all()

    def _running(self) -> list[Execution]:
        return [execution for execution in self.world.executions.values() if execution.status == "RUNNING"]

    def _waiting(self) -> list[tuple[Execution, str]]:
        return [
            (execution, stage)
            for execution in self._running()
            for stage, waiting in execution.waiting.items()
            if not waiting.done
        ]

    def _live(self) -> list[Job]:
        return [job for job in self.world.jobs.values() if job.status is JobStatus.RUNNING]

    def _finish_all(self) -> None:
        while self.world.processes:
            self.world.processes[0].advance()
            check_always(self.world)

    @staticmethod
    def _pick(data: st.DataObject, choices: list[Any]) -> Any:
        return choices[data.draw(st.integers(0, len(choices) - 1))]


_QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
TestProtocol = ProtocolModel.TestCase
TestProtocol.settings = settings(max_examples=60, stateful_step_count=50, deadline=None, suppress_health_check=_QUIET)


class QueueModel(ProtocolModel):
    """The same where runs wait for one another, or do not."""

    policies = (Concurrency.QUEUE, Concurrency.QUEUE, Concurrency.QUEUE_LATEST, Concurrency.PARALLEL)
    most_runs = 5


TestQueue = QueueModel.TestCase
TestQueue.settings = TestProtocol.settings


class _LongModel(ProtocolModel):
    pass


class _LongQueueModel(QueueModel):
    pass


@pytest.mark.long
@pytest.mark.timeout(1800)
class TestProtocolAtLength(_LongModel.TestCase):  # type: ignore[misc, name-defined]
    settings = settings(max_examples=2000, stateful_step_count=80, deadline=None, suppress_health_check=_QUIET)


@pytest.mark.long
@pytest.mark.timeout(1800)
class TestQueueAtLength(_LongQueueModel.TestCase):  # type: ignore[misc, name-defined]
    settings = settings(max_examples=2000, stateful_step_count=80, deadline=None, suppress_health_check=_QUIET)
