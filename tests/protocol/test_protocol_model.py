"""The protocol as one: any interleaving, any interruption, events that come twice, late, early or never."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lambda_handlers.jobs.driver import JobStatus
from tests.protocol.protocol_processes import Command
from tests.protocol.protocol_rules import check_always, check_at_rest, come_to_rest
from tests.protocol.protocol_world import Execution, Job, World

logging.disable(logging.CRITICAL)

_FAULTS = st.sampled_from([command for command in Command if command is not Command.GO])


class ProtocolModel(RuleBasedStateMachine):
    """Run executions of the workflow against the protocol, one step of one function at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(fingerprint=st.sampled_from("AB"))
    def first_run(self, fingerprint: str) -> None:
        self.world.start_execution(fingerprint)

    @rule(fingerprint=st.sampled_from("AB"))
    def another_run(self, fingerprint: str) -> None:
        assume(len(self.world.executions) < 3)
        self.world.start_execution(fingerprint)

    @rule(data=st.data(), steps=st.integers(1, 6))
    def work(self, data: st.DataObject, steps: int) -> None:
        process = self._pick(data, self.world.processes)
        for _ in range(steps):
            if not process.ended:
                process.advance()
                check_always(self.world)

    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        process = self._pick(data, self.world.processes)
        while not process.ended:
            process.advance()
            check_always(self.world)

    @rule(data=st.data(), fault=_FAULTS)
    def interrupt(self, data: st.DataObject, fault: Command) -> None:
        self._pick(data, self.world.processes).advance(fault)

    @rule(data=st.data(), how=st.sampled_from(["COMPLETED", "COMPLETED", "FAILED", "CAPACITY", "STOPPED"]))
    def end_job(self, data: st.DataObject, how: str) -> None:
        job: Job = self._pick(data, [job for job in self.world.jobs.values() if job.status is JobStatus.RUNNING])
        failed = how == "CAPACITY"
        self.world.end_job(job, JobStatus.FAILED if failed else JobStatus(how), "CapacityUnavailable" if failed else "")

    @rule(data=st.data(), lost=st.booleans())
    def job_event(self, data: st.DataObject, lost: bool) -> None:
        # Events stay in the list, so that each may come again.
        name = self._pick(data, self.world.job_events)
        if lost:
            self.world.job_events.remove(name)
        else:
            self.world.tell_job_event(name)

    @rule(data=st.data(), lost=st.booleans())
    def ended_event(self, data: st.DataObject, lost: bool) -> None:
        ending = self._pick(data, self.world.ended_events)
        if lost:
            self.world.ended_events.remove(ending)
        else:
            self.world.tell_ended(ending)

    @rule()
    def reconcile(self) -> None:
        assume(sum(process.label == "reconcile" for process in self.world.processes) < 2)
        self.world.start_reconciler()

    @rule(seconds=st.sampled_from([1, 60, 300, 1200, 7 * 3600]))
    def pass_time(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        self.world.abort(self._pick(data, self._running()))

    @rule(data=st.data())
    def state_times_out(self, data: st.DataObject) -> None:
        execution, stage = self._pick(data, self._waiting())
        self.world.time_out_state(execution, stage)

    @rule(data=st.data())
    def lose_invocation(self, data: st.DataObject) -> None:
        self.world.lose_invocation(*self._pick(data, self._waiting()))

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

    @staticmethod
    def _pick(data: st.DataObject, choices: list[Any]) -> Any:
        assume(choices)
        return choices[data.draw(st.integers(0, len(choices) - 1))]


_QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
TestProtocol = ProtocolModel.TestCase
TestProtocol.settings = settings(max_examples=60, stateful_step_count=60, deadline=None, suppress_health_check=_QUIET)


class _LongModel(ProtocolModel):
    pass


@pytest.mark.long
class TestProtocolAtLength(_LongModel.TestCase):  # type: ignore[misc, name-defined]
    settings = settings(max_examples=4000, stateful_step_count=120, deadline=None, suppress_health_check=_QUIET)
