"""The same at the states that only a queue, an approval and an update in place have: one run after another."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from lambda_handlers.approval.approvals import APPROVED, Decision, approval_key
from nova_constructs.emulator import Emulator
from tests.workflow.harness import SPEED, synthesize, until
from tests.workflow.states import states_of
from tests.workflow.test_faults_at_every_state import (
    FAULTS,
    IN_A_QUEUE,
    SIDE_BY_SIDE,
    Chaos,
    prepare_events,
    request_for,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STATES = (
    *("AwaitTurn", "AwaitApproval", "SettleApproval", "ChooseDeployment"),
    *("DeployCandidate", "SmokeCandidate", "UpdateDeployment", "RemoveCandidate"),
)


class Approver:
    """Says yes to the runs that it is given, at once."""

    def __init__(self, chaos: Chaos) -> None:
        self._chaos, self._done = chaos, threading.Event()
        self._thread = threading.Thread(target=self._work, name="approver", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        self._thread.join()

    def _work(self) -> None:
        workflow = self._chaos.workflow
        dynamodb, states = workflow.emulator.client("dynamodb"), workflow.emulator.client("stepfunctions")
        yes = Decision(decision=APPROVED, reason="fine", at="2026-01-01T00:00:00Z", by="arn:me").as_dict()
        while not self._done.wait(0.05):
            for run in list(self._chaos.approve):
                key = {"item": {"S": approval_key(run)}}
                found = dynamodb.get_item(TableName=workflow["RunControlTableName"], Key=key).get("Item")
                if found and found["token"]["S"]:
                    self._chaos.approve.discard(run)
                    states.send_task_success(taskToken=found["token"]["S"], output=json.dumps(yes))


@pytest.fixture(scope="module")
def chaos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Chaos, list[str]]]:
    assembly = synthesize(tmp_path_factory.mktemp("in-a-queue"), **IN_A_QUEUE)
    with Emulator(speed=SPEED) as emulator:
        made = Chaos(emulator, assembly)
        approver = Approver(made)
        checkpoints = [made.checkpoint() for _ in range(2)]
        made.done(mode="deploy", model_path=checkpoints[0], force=True)
        yield made, checkpoints
        approver.stop()
        print(f"\n{sum(made.injected.values())} faults injected in a queue: {dict(made.injected)}")


def test_every_state_is_either_here_or_side_by_side(
    chaos: tuple[Chaos, list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = states_of(synthesize(tmp_path_factory.mktemp("side-by-side"), **SIDE_BY_SIDE))
    assert set(chaos[0].states) - set(other) == set(STATES)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("state", STATES)
def test_a_run_killed_where_others_wait_leaves_nothing_but_its_record(
    chaos: tuple[Chaos, list[str]], state: str, fault: str
) -> None:
    world, checkpoints = chaos
    world.faults.clear()
    prepare_events(world, fault)
    calling = world.states[state]
    if state == "AwaitTurn":
        holder = world.start(dataset=world.unique(), mode="train")
        until(lambda: world.workflow.open_rows() or None, "the job of the holder")
        run = world.inject(calling, fault, {"dataset": world.unique(), "mode": "prepare"})
        world.workflow.finish(world.arn(run))
        assert world.workflow.finish(world.arn(holder))["status"] == "SUCCEEDED"
    else:
        run = _deployed(world, checkpoints, state, fault)
    world.check(run, calling, fault)
    world.at_rest()


def _deployed(world: Chaos, checkpoints: list[str], state: str, fault: str) -> str:
    """Return the run that came to the state: one whose model is served already needs no update."""
    for number in (1, 0):
        request = request_for(world, state, number, checkpoints)
        run = world.inject(world.states[state], fault, request)
        if state not in ("AwaitApproval", "SettleApproval"):
            world.approve.add(run)
        world.workflow.finish(world.arn(run))
        if world.hit[run]:
            return run
    raise AssertionError(f"no run came to {state}: {world.workflow.path(world.arn(run))}")
