"""Each target and mode, with nothing there and with a deployment there, and with what may fail on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nova_constructs.emulator import Emulator
from tests.workflow.deploying import TARGETS, deploy, events, models, reading, served, told, trained
from tests.workflow.harness import SPEED, Workflow, synthesize

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SWAP, UPDATE, FAIL = "SWAP", "UPDATE_IF_EXISTS", "FAIL_IF_EXISTS"
CASES = [(target, mode) for target in TARGETS for mode in (SWAP, UPDATE, FAIL)]


class World:
    """A customization with a target and mode, and the checkpoints that it may deploy."""

    def __init__(self, emulator: Emulator, assembly: Path, target: str, mode: str) -> None:
        self.workflow = Workflow(emulator, assembly)
        self.target, self.mode = target, mode
        self.faults = emulator.faults
        self.first, self.second = trained(self.workflow, "first"), trained(self.workflow, "second")


def in_production(world: World) -> None:
    """Bring the first model into production, should no other test have."""
    if world.workflow.pointer() is None:
        deploy(world.workflow, world.first)


@pytest.fixture(params=CASES, ids=lambda case: " ".join(case), scope="module")
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    target, mode = request.param
    settings: dict[str, Any] = {**TARGETS[target], "mode": mode}
    assembly = synthesize(tmp_path_factory.mktemp("deploying"), deployment=settings)
    with Emulator(speed=SPEED) as emulator:
        yield World(emulator, assembly, target, mode)


@pytest.fixture(autouse=True)
def _no_denials(world: World) -> Iterator[None]:
    world.workflow.emulator.calls.clear()
    yield
    world.faults.clear()
    denied = world.workflow.emulator.calls.denied()
    # What was deleted carries no tag any more, so looking at it once more is denied: the drivers take that for gone.
    assert [str(c) for c in denied if c.action not in LOOKED_AT] == []


LOOKED_AT = {
    *("bedrock:GetCustomModelDeployment", "bedrock:GetProvisionedModelThroughput", "bedrock:GetCustomModel"),
}
STEPS = ["import", "deployment", "smoke"]


@pytest.mark.parametrize("step", STEPS)
def test_a_failure_with_nothing_there_leaves_nothing_that_serves(world: World, step: str) -> None:
    fail(world, step, world.first)
    record = deploy(world.workflow, world.first, fails=True)
    assert record["error"] == ("ModelImportFailed" if step == "import" else "DeploymentFailed"), told(record)
    assert (served(world.workflow), world.workflow.pointer()) == ({}, None)
    assert "pointer_moved" not in events(record)


def test_a_new_deployment(world: World) -> None:
    record = deploy(world.workflow, world.first)
    [(name, model)] = served(world.workflow).items()
    assert record["model_arn"] == model
    assert world.workflow.pointer() == record["deployment_arn"] == record["pointer"]["after"]
    assert record["deployment"] == {
        "target": "BEDROCK_OD" if world.target == "on demand" else "BEDROCK_PT",
        "mode": world.mode,
        "name": name,
    }
    assert [each for each in events(record) if each in {"model_imported", "model_deployed", "pointer_moved"}] == [
        *("model_imported", "model_deployed", "pointer_moved")
    ]


@pytest.mark.parametrize("step", [*STEPS, "update"])
def test_a_failure_leaves_production_as_it_was(world: World, step: str) -> None:
    if world.mode == FAIL or (step == "update" and world.mode != UPDATE):
        pytest.skip("this mode does not come to this step")
    if step == "deployment" and (world.mode, world.target) == (UPDATE, "provisioned"):
        pytest.skip("an update of provisioned throughput has no deployment of its own")
    in_production(world)
    before = served(world.workflow), world.workflow.pointer()
    fail(world, step, world.second)
    with reading(world.workflow) as failures:
        record = deploy(world.workflow, world.second, fails=True)
    assert failures == []
    world.faults.clear()
    assert (served(world.workflow), world.workflow.pointer()) == before, told(record)
    assert "pointer_moved" not in events(record)


def test_a_second_model(world: World) -> None:
    in_production(world)
    before, pointer = served(world.workflow), world.workflow.pointer()
    if world.mode == FAIL:
        known = models(world.workflow)
        ended = world.workflow.finish(world.workflow.start(mode="deploy", base_run=world.second, force=True))
        assert (ended["status"], ended["error"]) == ("FAILED", "DeploymentExists")
        assert "mode FAIL_IF_EXISTS creates it only" in ended["cause"]
        assert (served(world.workflow), world.workflow.pointer(), models(world.workflow)) == (before, pointer, known)
        assert world.workflow.path(ended["executionArn"])[:2] == ["PlanRun", "CloseFailedRun"]
        return
    with reading(world.workflow) as failures:
        record = deploy(world.workflow, world.second)
    assert failures == []
    after = served(world.workflow)
    assert world.workflow.pointer() == record["deployment_arn"]
    if world.mode == SWAP:
        assert {**before, record["deployment"]["name"]: record["model_arn"]} == after
        assert record["pointer"] == {**record["pointer"], "before": pointer}
        return
    [name] = before
    assert after == {name: record["model_arn"]} != before
    assert world.workflow.pointer() == pointer
    assert record["deployment"]["previous_model_arn"] == before[name]


def test_the_same_model_again(world: World) -> None:
    if world.mode == FAIL:
        pytest.skip("this mode does not deploy twice")
    known, serving = models(world.workflow), served(world.workflow)
    record = deploy(world.workflow, world.second)
    assert models(world.workflow) == known
    assert models_reused(record)
    if world.mode == UPDATE:
        assert served(world.workflow) == serving
        assert [event["detail"]["action"] for event in record["ledger"] if event["type"] == "deployment_chosen"] == [
            "KEEP"
        ]


def test_calls_whose_responses_are_lost_make_one_of_each(world: World) -> None:
    if world.mode == FAIL:
        pytest.skip("this mode does not deploy twice")
    in_production(world)
    third = trained(world.workflow, "third")
    names, known = set(served(world.workflow)), models(world.workflow)
    lost = [operation for operation in LOST if ("Provisioned" in operation) == (world.target == "provisioned")]
    for operation in ("CreateCustomModel", *lost):
        world.faults.lose_response("bedrock", operation)
    record = deploy(world.workflow, third)
    assert world.faults.fired["lose_response"] >= 2
    made = models(world.workflow) - known
    assert made == {record["model_arn"]}
    added = set(served(world.workflow)) - names
    assert len(added) == (1 if world.mode == SWAP else 0)


LOST = (
    *("CreateCustomModelDeployment", "UpdateCustomModelDeployment"),
    *("CreateProvisionedModelThroughput", "UpdateProvisionedModelThroughput"),
)


def models_reused(record: dict[str, Any]) -> bool:
    [imported] = [event["detail"] for event in record["ledger"] if event["type"] == "model_imported"] or [{}]
    return bool(imported.get("reused_from"))


def fail(world: World, step: str, run: str) -> None:
    everything = lambda *_: True  # noqa: E731
    if step == "import":
        world.faults.fail_import(everything)
    elif step == "deployment":
        world.faults.fail_deployment(everything)
    elif step == "update":
        world.faults.fail_update(everything)
    else:
        checkpoint = world.workflow.record(run)["checkpoint_uri"]
        world.faults.answer(lambda _, tags: tags.get("nova-constructs:checkpoint") == checkpoint, "")
