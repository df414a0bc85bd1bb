"""Model check of the intake: whatever is told how often, stopped at whatever step, each thing is in exactly one run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from lambda_handlers.protocol.errors import TransientServiceError
from lambda_handlers.protocol.runs import open_runs
from lambda_handlers.starting.arrivals import COOLED_DOWN, STARTED, SUPERSEDED, WAITING
from tests.protocol.protocol_processes import Command, Killed, Process, Scheduler
from tests.starting.starting_world import StartingWorld

MOST = 3
COOL_DOWN = 3600
ALARM = {"name": "Drift", "kind": "alarm", "cool_down_seconds": COOL_DOWN, "request": {"dataset": {"uri": "s3://b/d/"}}}
OWN = {"name": "Own", "kind": "event", "dataset_path": "$.detail.uri"}
COMMANDS = st.sampled_from([Command.GO] * 6 + [command for command in Command if command is not Command.GO])
INJECTED: Counter[str] = Counter()


_QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


class Functions(Scheduler):
    """Calls of the function, side by side, step by step."""

    def epoch(self) -> int:
        return 0


class Intake(RuleBasedStateMachine):
    """Objects, alarms and events in any order, told at least once, by functions that die anywhere."""

    defers = False

    def __init__(self) -> None:
        super().__init__()
        self.functions = Functions()
        self.world = StartingWorld(self.functions.step, defers=self.defers)
        self.told: list[dict[str, Any]] = []
        self.outstanding: list[dict[str, Any]] = []

    @initialize(alarms=st.integers(0, 2))
    def something_waits(self, alarms: int) -> None:
        """Begin where two looks at the same arrivals can cross."""
        for key in range(2):
            self.world.tell(self._told(self.world.upload(f"datasets/{key}.jsonl", most_objects=MOST)))
        for _ in range(alarms):
            self.alarm_goes_off()
        self.world.pass_time(minutes=1)
        for _ in range(2):
            self.reconciler_passes()

    # What happens

    @rule(key=st.integers(0, 5), kind=st.sampled_from(["jsonl", "jsonl", "csv"]))
    def write_object(self, key: int, kind: str) -> None:
        self._tell(self.world.upload(f"datasets/{key}.{kind}", most_objects=MOST))

    @rule()
    def alarm_goes_off(self) -> None:
        self._tell(self.world.event(ALARM, {"alarmName": "Drift", "state": {"value": "ALARM"}}))

    @rule(number=st.integers(0, 3))
    def event_of_ones_own(self, number: int) -> None:
        self._tell(self.world.event(OWN, {"uri": f"s3://b/datasets/{number}.jsonl"}))

    def _tell(self, message: dict[str, Any]) -> None:
        self.outstanding.append(self._told(message))

    def _told(self, message: dict[str, Any]) -> dict[str, Any]:
        self.told.append(message)
        return message

    @precondition(lambda self: self.outstanding)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        self._call(data.draw(st.sampled_from(self.outstanding), label="message"))

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        self._call(data.draw(st.sampled_from(self.told), label="message"))

    @rule()
    def reconciler_passes(self) -> None:
        self._call({"dispatch": True})

    def _call(self, message: dict[str, Any]) -> None:
        def on_end(process: Process) -> None:
            if process.error is None and message in self.outstanding:
                self.outstanding.remove(message)
            if process.error is not None and not isinstance(process.error, Killed | TransientServiceError):
                raise process.error

        self.functions.start("intake", lambda: self.world.tell(message), on_end)

    @precondition(lambda self: self.functions.processes)
    @rule(data=st.data(), command=COMMANDS, steps=st.integers(1, 12))
    def advance(self, data: st.DataObject, command: Command, steps: int) -> None:
        process = data.draw(st.sampled_from(self.functions.processes), label="process")
        for _ in range(steps - 1):
            if process.ended:
                return
            process.advance()
        if not process.ended:
            if command is not Command.GO:
                INJECTED[command.name] += 1
            process.advance(command)

    @precondition(lambda self: self.functions.processes)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        process = data.draw(st.sampled_from(self.functions.processes), label="process")
        while not process.ended:
            process.advance()

    @rule(seconds=st.sampled_from([10, 60, 300, COOL_DOWN]))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_time(seconds=seconds)

    @rule(lagging=st.booleans())
    def index_lags(self, lagging: bool) -> None:
        self.world.table.lagging = lagging
        if not lagging:
            self.world.table.catch_up()

    @precondition(lambda self: self.world.executions)
    @rule(data=st.data(), ends=st.booleans())
    def a_run_goes_on(self, data: st.DataObject, ends: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.world.executions)), label="run")
        if ends:
            self.world.run_ends(name)
        elif name not in self.world.ended:
            self.world.run_begins(name)

    @precondition(lambda self: self.defers and self._not_begun())
    @rule(data=st.data())
    def a_run_meets_another(self, data: st.DataObject) -> None:
        self.world.run_is_turned_away(data.draw(st.sampled_from(self._not_begun()), label="run"))
        INJECTED["turned away"] += 1

    def _not_begun(self) -> list[str]:
        return sorted(set(self.world.executions) - self.world.ended - set(open_runs(self.world.control)))

    def worked(self) -> list[dict[str, Any]]:
        """Return the inputs of the runs that met no other."""
        return [each for name, each in self.world.executions.items() if name not in self.world.outputs]

    # In the end

    def teardown(self) -> None:
        self.functions.kill_all()
        self.world.table.lagging = False
        self.world.table.catch_up()
        for message in list(self.outstanding):
            self.world.tell(message)
        for _ in range(2 * len(self.told) + 2):
            self.world.pass_time(minutes=10)
            self.world.dispatch()
            for name in list(self.world.executions):
                self.world.run_ends(name)
        self._check_arrivals()
        self._check_objects()
        self._check_cool_down()

    def _check_arrivals(self) -> None:
        for message in self.told:
            status, run = self.world.status_of(message)
            assert status != WAITING, f"{message} was forgotten"
            assert status != STARTED or run in self.world.executions
            assert not (self.defers and message["trigger"]["name"] != "Drift" and run in self.world.outputs), run
            assert status != COOLED_DOWN or message["trigger"]["name"] == "Drift"
        leftover = [item for item in self.world.table.items.values() if "waiting_marker" in item]
        assert leftover == []

    def _check_objects(self) -> None:
        """Each version is in at most one run, the newest of each key in exactly one, and no run has too many."""
        runs_of: Counter[tuple[str, str]] = Counter()
        for document in self.worked():
            if document["trigger"]["kind"] == "dataset":
                listed = self._listed(document["dataset"])
                assert len(listed) == document["trigger"]["count"] <= MOST
                assert len({each["uri"].rsplit(".", 1)[1] for each in listed}) == 1
                assert len({each["uri"] for each in listed}) == len(listed)
                runs_of.update((each["uri"], each["version_id"]) for each in listed)
        newest: dict[str, str] = {}
        for message in self.told:
            written = message["event"]["detail"].get("object")
            if written:
                newest[f"s3://incoming/{written['key']}"] = written["version-id"]
                known = runs_of[f"s3://incoming/{written['key']}", written["version-id"]]
                assert known <= 1, f"{written} is in {known} runs"
                assert known or self.world.status_of(message)[0] == SUPERSEDED
        assert {key: runs_of[key, version] for key, version in newest.items()} == dict.fromkeys(newest, 1)
        own = [document for document in self.worked() if document["trigger"]["kind"] == "event"]
        assert len(own) == sum(message["trigger"]["name"] == "Own" for message in self.told)

    def _listed(self, dataset: dict[str, str]) -> list[dict[str, str]]:
        if "uri" in dataset:
            return [dataset]
        found: list[dict[str, str]] = json.loads(
            self.world.objects[dataset["objects_uri"].removeprefix("s3://artifacts/")]
        )
        return found

    def _check_cool_down(self) -> None:
        starts, all_starts = (self._alarm_starts(runs) for runs in (self.worked(), self.world.executions.values()))
        happened = sorted(
            datetime.fromisoformat(each["event"]["time"]) for each in self.told if each["trigger"]["name"] == "Drift"
        )
        assert bool(all_starts) == bool(happened)
        # A run that met another did nothing, and began no cool-down.
        for before in starts:
            after = next((each for each in all_starts if each > before), None)
            # What started the later run happened after the cool-down of the earlier one.
            assert after is None or any(at >= before + timedelta(seconds=COOL_DOWN) for at in happened if at <= after)

    @staticmethod
    def _alarm_starts(runs: Iterable[dict[str, Any]]) -> list[datetime]:
        triggers = [each["trigger"] for each in runs if each["trigger"]["kind"] == "alarm"]
        return sorted(datetime.fromisoformat(each["at"]) for each in triggers)


Intake.TestCase.settings = settings(
    max_examples=200, stateful_step_count=50, deadline=None, suppress_health_check=_QUIET
)
TestIntake = Intake.TestCase


class DeferringIntake(Intake):
    """The same where what brings data waits for the end of the run that works."""

    defers = True


TestDeferringIntake = DeferringIntake.TestCase
TestDeferringIntake.settings = settings(
    max_examples=150, stateful_step_count=50, deadline=None, suppress_health_check=_QUIET
)


class _LongIntake(Intake):
    pass


class _LongDeferringIntake(DeferringIntake):
    pass


@pytest.mark.long
@pytest.mark.timeout(1800)
class TestIntakeAtLength(_LongIntake.TestCase):  # type: ignore[misc, name-defined]
    settings = settings(max_examples=3000, stateful_step_count=80, deadline=None, suppress_health_check=_QUIET)


@pytest.mark.long
@pytest.mark.timeout(1800)
class TestDeferringIntakeAtLength(_LongDeferringIntake.TestCase):  # type: ignore[misc, name-defined]
    settings = settings(max_examples=3000, stateful_step_count=80, deadline=None, suppress_health_check=_QUIET)


def test_zz_faults_were_injected() -> None:
    print(f"faults injected into the intake: {dict(INJECTED)}")
    assert {"KILL", "KILL_AFTER", "FAIL", "LOSE", "REPEAT", "turned away"} <= set(INJECTED)
