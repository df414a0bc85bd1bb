"""Aborted in any state of the deployment part and run again, a run leaves one live deployment and nothing else.

Which states there are is read from the deployed definition: a new one is covered without a change here, and one that
cannot be stopped in fails.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from lambda_handlers.deployment.inventory import Kind
from lambda_handlers.deployment.retention import Standing
from lambda_handlers.jobs.driver import PREVIOUS_MODEL_TAG
from lambda_handlers.protocol.targets import Target
from nova_constructs.emulator import Emulator
from tests.workflow.deployed import emptied, everything, judged, shown, standings
from tests.workflow.deploying import TARGETS, deploy, events, reading, trained
from tests.workflow.harness import SPEED, Workflow, synthesize, until
from tests.workflow.stopping import Moment, part_from, when_in

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

FIRST = "ImportModel"
SWAP, UPDATE, FAIL = "SWAP", "UPDATE_IF_EXISTS", "FAIL_IF_EXISTS"
# What provisioned throughput does in the other modes are states of this one.
CASES = [*(("on demand", mode) for mode in (SWAP, UPDATE, FAIL)), ("provisioned", UPDATE)]
TRIES = 3
"""How often the client of a function tries a call (`protocol/aws.py`)."""
SERVING = (Kind.DEPLOYMENT, Kind.PROVISIONED)


class World:
    """A customization with a target and mode, two checkpoints to deploy, and the states of its deployment part."""

    def __init__(self, workflow: Workflow, target: str, mode: str, runs: list[str]) -> None:
        self.workflow, self.mode, self._runs = workflow, mode, runs
        self.faults = workflow.emulator.faults
        self.part = part_from(FIRST, workflow)
        serving = "CustomModelDeployment" if target == "on demand" else "ProvisionedModelThroughput"
        self.creates = ("CreateCustomModel", f"Create{serving}")
        self.updates = ("CreateCustomModel", f"Update{serving}")

    @property
    def run(self) -> str:
        """The run whose checkpoint is not in production."""
        self._runs.reverse()
        return self._runs[0]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(speed=SPEED) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def runs() -> list[str]:
    """The runs that trained the checkpoints, once for all targets and modes: one stack is updated to each of them."""
    return []


@pytest.fixture(params=CASES, ids=lambda case: " ".join(case), scope="module")
def world(
    request: pytest.FixtureRequest, emulator: Emulator, runs: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    target, mode = request.param
    settings: dict[str, Any] = {**TARGETS[target], "mode": mode}
    folder: Path = tmp_path_factory.mktemp("aborts")
    workflow = Workflow(emulator, synthesize(folder, deployment=settings))
    runs += [trained(workflow, name) for name in ("first", "second")] if not runs else []
    yield World(workflow, target, mode, runs)
    emptied(workflow)


def test_an_abort_in_any_state(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """With nothing in production and, but for a name that may be taken once, with the model of an earlier run there."""
    first = aborted_in_each_state(world, production=False)
    later: list[str] = []
    if world.mode != FAIL:
        with reading(world.workflow, every=0.25) as failures:
            later = aborted_in_each_state(world, production=True)
        assert failures == []
    assert {*first, *later} == world.part.keys(), "a state of the deployment part that no run was stopped in"
    with capsys.disabled():
        print(
            f" {len(first)} states without, {len(later)} with a model in production: {', '.join(world.part)}", end=" "
        )


def test_calls_whose_answers_are_lost_make_one_of_each(world: World) -> None:
    """Lost are the answers to all tries of the client, so that the state's own retry finds what was made."""
    emptied(world.workflow)
    first = answers_lost(world, world.creates)
    if world.mode == FAIL:
        return
    second = answers_lost(world, world.creates if world.mode == SWAP else world.updates)
    [live] = [each.made for each in judged(world.workflow) if each.made.arn == second.arn]
    if world.mode == SWAP:
        assert live.arn != first.arn
        return
    assert live.arn == first.arn
    tags = world.workflow.emulator.client("bedrock").list_tags_for_resource(resourceARN=live.arn)["tags"]
    # Noted once: an update that is taken for another one would have noted the new model.
    assert {"key": PREVIOUS_MODEL_TAG, "value": first.model_arn} in tags


def answers_lost(world: World, operations: Sequence[str]) -> Target:
    """Deploy while the answers to operations and to the move of the pointer are lost; return what the pointer shows."""
    workflow, faults, known = world.workflow, world.faults, everything(world.workflow)
    moved, before = threading.Event(), shown(workflow)

    def lose_the_move() -> None:
        if not moved.is_set() and shown(workflow) != before:
            moved.set()
            faults.lose_response("dynamodb", "PutItem")

    for operation in operations:
        faults.lose_response("bedrock", operation, times=TRIES)
    faults.lose_response("ssm", "PutParameter", times=TRIES)
    faults.after("dynamodb", "PutItem", lose_the_move, times=None)
    try:
        again(world, world.run)
        assert moved.is_set()
        assert faults.fired["lose_response"] == TRIES * (len(operations) + 1) + 1
    finally:
        faults.clear()
    target = shown(workflow)
    assert target is not None
    made = everything(workflow) - known
    assert made == {target.model_arn} | ({target.arn} if before is None or world.mode == SWAP else set())
    return target


def aborted_in_each_state(world: World, *, production: bool) -> list[str]:
    """Abort twice in each state that a run comes to, early and late, and run again; return these states."""
    todo, done = [FIRST], list[str]()
    while todo:
        state = todo.pop(0)
        run, promoted = world.run, False
        for moment in moments_of(world, state, production):
            if not production:
                emptied(world.workflow)
            promoted = abort(world, run, state, moment)
        path = refused(world, run) if promoted and world.mode == FAIL else again(world, run)
        done.append(state)
        if len(done) == 1:
            todo = [name for name in path if name in world.part and name not in done]
    return done


def moments_of(world: World, state: str, production: bool) -> list[Moment | None]:
    """Return when to abort in a state; early only where most is at stake, since nothing has happened yet."""
    if world.part[state]["Type"] != "Task":
        return [None]
    return [Moment.EARLY, Moment.LATE] if production or world.mode == FAIL else [Moment.LATE]


def abort(world: World, run: str, state: str, moment: Moment | None) -> bool:
    """Abort a run in a state, look at what is left once all is cleaned up, return whether it had been promoted."""
    workflow, before = world.workflow, shown(world.workflow)
    arn = ""

    def stop() -> None:
        workflow.states.stop_execution(executionArn=arn)
        if moment is Moment.EARLY:
            # The function that is about to be called finds that its run is over.
            workflow.record(arn.rsplit(":", 1)[1])

    with when_in(workflow, state, moment, stop) as met:
        with workflow.emulator.clock.busy():
            arn = workflow.start(mode="deploy", base_run=run, force=True)
        ended = workflow.finish(arn)
    where = f"{state}, {moment}"
    assert met, f"the run could not be stopped in {where}; it took {workflow.path(arn)}"
    assert workflow.path(arn)[-1] == state, where
    assert ended["status"] == "ABORTED", where
    record = workflow.record(ended["name"])
    assert (record["status"], record["error"]) == ("ABORTED", "ABORTED"), where
    workflow.nothing_left_running()
    left, after = judged(workflow), shown(workflow)
    promoted = "pointer_moved" in events(record)
    assert promoted == (after != before), where
    # What a promotion has made superfluous is left to the next run where this one did not come to retire it.
    served = {Standing.LIVE, Standing.ROLLBACK, Standing.KEPT, *({Standing.RETIRED} if promoted else ())}
    assert standings(left, *SERVING).keys() <= served, (where, left)
    assert standings(left, *SERVING)[Standing.LIVE] == (1 if after else 0), (where, left)
    consistent(world, where)
    return promoted


def refused(world: World, run: str) -> list[str]:
    """Run again where a name may be taken once, and the aborted run has taken it; return the states come to."""
    workflow, before = world.workflow, everything(world.workflow)
    ended = workflow.finish(workflow.start(mode="deploy", base_run=run, force=True))
    assert (ended["status"], ended["error"]) == ("FAILED", "DeploymentExists")
    workflow.nothing_left_running()
    assert everything(workflow) == before
    assert standings(judged(workflow), *Kind) == {Standing.LIVE: 2}
    return workflow.path(ended["executionArn"])


def again(world: World, run: str) -> list[str]:
    """Run again with the same checkpoint, which succeeds; return the states that the run came to."""
    workflow = world.workflow
    record = deploy(workflow, run)
    left, target = judged(workflow), shown(workflow)
    assert target is not None
    assert (target.run_id, target.arn) == (record["run_id"], record["deployment_arn"])
    allowed = {Standing.LIVE, Standing.ROLLBACK, Standing.KEPT}
    assert standings(left, *SERVING)[Standing.LIVE] == standings(left, Kind.MODEL)[Standing.LIVE] == 1, left
    assert standings(left, *Kind).keys() <= allowed, left
    assert {each.made.arn for each in left} == everything(workflow)
    if world.mode != SWAP:
        assert sum(standings(left, *SERVING).values()) == 1, left
    consistent(world, "run again")
    return workflow.path(execution(workflow, record["run_id"]))


def consistent(world: World, where: str) -> None:
    """Assert that nothing is half made, and that what the pointer shows serves the model that it says."""
    workflow, target = world.workflow, shown(world.workflow)
    found = judged(workflow)
    assert [each for each in found if each.made.being_made] == [], where
    if target is None:
        assert workflow.pointer() is None, where
        return
    until(lambda: workflow.pointer() == target.arn or None, f"the parameter to show {target.arn} ({where})")
    [live] = [each.made for each in found if each.made.arn == target.arn]
    assert live.model_arn == target.model_arn, where


def execution(workflow: Workflow, run_id: str) -> str:
    return f"{workflow['StateMachineArn'].replace(':stateMachine:', ':execution:')}:{run_id}"
