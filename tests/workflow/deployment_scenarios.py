"""What may come of a deployment: with nothing there, with a model in production, and with what fails on the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from nova_constructs.emulator import Emulator
from nova_constructs.emulator.simulators import throughputs
from tests.workflow.deploying import (
    TARGETS,
    deploy,
    event,
    events,
    models,
    models_of,
    reading,
    served,
    told,
    trained,
)
from tests.workflow.harness import Workflow, until

SWAP, UPDATE, FAIL = "SWAP", "UPDATE_IF_EXISTS", "FAIL_IF_EXISTS"
CASES = [(target, mode) for target in TARGETS for mode in (SWAP, UPDATE, FAIL)]
LOST = {
    "on demand": ("CreateCustomModelDeployment", "UpdateCustomModelDeployment"),
    "provisioned": ("CreateProvisionedModelThroughput", "UpdateProvisionedModelThroughput"),
}
COMMITTED = ("committed", SWAP)
SETTINGS = {**TARGETS, "committed": {**TARGETS["provisioned"], "commitment": "ONE_MONTH"}}
KINDS = {"on demand": "BEDROCK_OD", "provisioned": "BEDROCK_PT"}


class World:
    """A customization with a target and mode, and the checkpoints that it may deploy."""

    def __init__(self, emulator: Emulator, assembly: Path, target: str, mode: str) -> None:
        self.workflow = Workflow(emulator, assembly)
        self.target, self.mode = target, mode
        self.faults = emulator.faults
        self.first, self.second = trained(self.workflow, "first"), trained(self.workflow, "second")

    @property
    def state(self) -> tuple[dict[str, str], str | None]:
        """What serves which model, and what the pointer shows."""
        return served(self.workflow), self.workflow.pointer()

    def in_production(self) -> None:
        """Bring the first model into production, should no other scenario have."""
        if self.workflow.pointer() is None:
            deploy(self.workflow, self.first)

    def events(self, *after: str) -> list[str]:
        """Return what the ledger is to have of a run that imported its model and comes this far."""
        chosen = [] if self.mode == SWAP else ["deployment_chosen"]
        return ["model_imported", *chosen, *after, "run_closed"]


Scenario = Callable[[World], None]


def scenarios(target: str, mode: str) -> Iterator[tuple[str, Scenario]]:
    """Yield, in the order in which they are to come, everything that can happen under a target and mode."""
    for step in ("import", "deployment", "smoke"):
        yield f"{step} fails with nothing there", partial(fails_with_nothing_there, step=step)
    yield "new", new
    if mode == FAIL:
        yield "existing", refused
        return
    for step in steps(target, mode):
        yield f"{step} fails with a model there", partial(fails_with_a_model_there, step=step)
    yield "existing", second_model
    yield "the same model again", same_model
    yield "responses lost", responses_lost
    yield "rolled back", rolled_back
    if (target, mode) == ("provisioned", SWAP):
        yield "a whole run", whole_run


def steps(target: str, mode: str) -> list[str]:
    """Return the steps of a run that has a model in production: what each of them makes can fail."""
    if mode == SWAP:
        return ["import", "deployment", "smoke"]
    # Provisioned throughput is updated without a candidate.
    candidate = ["deployment", "smoke"] if target == "on demand" else []
    return ["import", *candidate, "update", "smoke after the update"]


def fails_with_nothing_there(world: World, step: str) -> None:
    workflow = world.workflow
    fail(world, step, world.first)
    record = deploy(workflow, world.first, fails=True)
    assert record["error"] == ("ModelImportFailed" if step == "import" else "DeploymentFailed"), told(record)
    # Bedrock's own words, which for a checkpoint that it cannot read are these.
    assert step != "import" or "The model artifacts could not be read." in record["cause"]
    assert world.state == ({}, None)
    # The model stays for the next try, which imports none: an import takes long, and an idle model costs nothing.
    assert ready(workflow, world.first) == (0 if step == "import" else 1)
    assert events(record) == (["run_closed"] if step == "import" else world.events())


def ready(workflow: Workflow, run: str) -> int:
    """Count the models of the checkpoint of a run that can be deployed; what a failed import left is Failed."""
    return list(models_of(workflow, run).values()).count("Active")


def new(world: World) -> None:
    workflow = world.workflow
    record = deploy(workflow, world.first)
    [(name, model)] = served(workflow).items()
    # What a failed import has left is gone: a run that ends well retires it.
    assert {record["model_arn"]: "Active"} == models_of(workflow, world.first) == {model: "Active"}
    assert workflow.pointer() == record["deployment_arn"] == record["pointer"]["after"]
    assert record["pointer"]["before"] is None
    assert record["deployment"] == {"target": KINDS[world.target], "mode": world.mode, "name": name}
    assert events(record) == world.events("model_deployed", "pointer_moved", "models_retired")
    assert event(record, "pointer_moved")["after"] == event(record, "model_deployed")["deployment_arn"]


def refused(world: World) -> None:
    world.in_production()
    workflow, before = world.workflow, world.state
    known = models(workflow)
    with reading(workflow) as failures:
        ended = workflow.finish(workflow.start(mode="deploy", base_run=world.second, force=True))
    assert failures == []
    assert (ended["status"], ended["error"]) == ("FAILED", "DeploymentExists")
    assert "mode FAIL_IF_EXISTS creates it only" in ended["cause"]
    assert (world.state, models(workflow)) == (before, known)
    assert workflow.path(ended["executionArn"])[:2] == ["PlanRun", "CloseFailedRun"]
    assert events(workflow.record(ended["name"])) == ["run_closed"]


def fails_with_a_model_there(world: World, step: str) -> None:
    world.in_production()
    workflow, before = world.workflow, world.state
    fail(world, step, world.second)
    with reading(workflow) as failures:
        record = deploy(workflow, world.second, fails=True)
    assert failures == []
    world.faults.clear()
    assert record["error"] == ("ModelImportFailed" if step == "import" else "DeploymentFailed"), told(record)
    assert world.state == before, told(record)
    assert ready(workflow, world.second) == (0 if step == "import" else 1)
    assert events(record) == (["run_closed"] if step == "import" else world.events())


def second_model(world: World) -> None:
    world.in_production()
    workflow, (before, pointer) = world.workflow, world.state
    with reading(workflow) as failures:
        record = deploy(workflow, world.second)
    assert failures == []
    after, moved = world.state
    assert moved == record["deployment_arn"] == event(record, "pointer_moved")["after"]
    assert {record["model_arn"]: "Active"} == models_of(workflow, world.second)
    assert events(record) == world.events("model_deployed", "pointer_moved", "models_retired")
    assert event(record, "pointer_moved")["before"] == record["pointer"]["before"] == pointer
    if world.mode == SWAP:
        assert moved != pointer
        assert {**before, record["deployment"]["name"]: record["model_arn"]} == after
        return
    [name] = before
    assert after == {name: record["model_arn"]} != before
    assert (moved, record["deployment"]["previous_model_arn"]) == (pointer, before[name])
    assert event(record, "deployment_chosen")["action"] == "UPDATE"


def same_model(world: World) -> None:
    workflow, known, serving = world.workflow, models(world.workflow), served(world.workflow)
    record = deploy(workflow, world.second)
    assert models(workflow) == known
    assert event(record, "model_imported")["reused_from"]
    if world.mode == UPDATE:
        assert served(workflow) == serving
        assert event(record, "deployment_chosen")["action"] == "KEEP"


def responses_lost(world: World) -> None:
    world.in_production()
    workflow = world.workflow
    third = trained(workflow, "third")
    names, known = set(served(workflow)), models(workflow)
    for operation in ("CreateCustomModel", *LOST[world.target]):
        world.faults.lose_response("bedrock", operation)
    record = deploy(workflow, third)
    assert world.faults.fired["lose_response"] >= 2
    assert models(workflow) - known == {record["model_arn"]}
    added = set(served(workflow)) - names
    assert len(added) == (1 if world.mode == SWAP else 0)


def rolled_back(world: World) -> None:
    """Somebody goes back to the model before; callers notice nothing."""
    world.in_production()
    workflow, (before, pointer) = world.workflow, world.state
    record = deploy(workflow, trained(workflow, "fourth"))
    present = world.state
    with reading(workflow) as failures:
        asked = json.dumps({"action": "ROLL_BACK", "reason": "it stammers", "claim": "arn:aws:iam::1:user/me"})
        answer = workflow.emulator.client("lambda").invoke(FunctionName=workflow["RollBackFunctionName"], Payload=asked)
        said = json.loads(answer["Payload"].read())
        assert (said["status"], said["withdrawn"]) == ("ROLLED_BACK", record["deployment_arn"]), said
        # Updated in place, what serves gets its model back; beside each other, both stay.
        until(
            lambda: world.state == (before if world.mode == UPDATE else present[0], pointer) or None,
            "the rollback",
        )
    assert failures == []
    assert [detail["reason"] for detail in rollbacks(workflow)] == ["it stammers"]


def committed(world: World) -> None:
    """What does not answer cannot be deleted: nothing is tried before the commitment ends, and then it goes."""
    workflow, bedrock = world.workflow, world.workflow.emulator.client("bedrock")
    with patch.dict(throughputs._COMMITTED, {"OneMonth": timedelta(hours=24)}):
        fail(world, "smoke", world.first)
        record = deploy(workflow, world.first, fails=True)
        workflow.emulator.calls.clear()
        [job] = [each for each in record["jobs"] if each["kind"] == "ProvisionedThroughput"]
        [made] = bedrock.list_provisioned_model_throughputs()["provisionedModelSummaries"]
        until_then = made["commitmentExpirationTime"] - datetime.fromisoformat(job["held_until"])
        assert (job["status"], abs(until_then) <= timedelta(seconds=1)) == ("HELD", True)
        assert (made["status"], workflow.pointer()) == ("InService", None)
        until(lambda: served(workflow) == {} or None, "the end of the commitment")
        until(lambda: "HELD" not in str(rows(workflow, "JobRegistryTableName")) or None, "the end of the row")
    deleted = [call for call in workflow.emulator.calls if call.action.endswith(":DeleteProvisionedModelThroughput")]
    assert len(deleted) == 1


def rows(workflow: Workflow, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workflow.emulator.client("dynamodb").scan(TableName=workflow[table])["Items"]
    return found


def rollbacks(workflow: Workflow) -> list[dict[str, Any]]:
    found = rows(workflow, "RunLedgerTableName")
    return [json.loads(row["detail"]["S"]) for row in found if row["type"]["S"] == "pointer_rolled_back"]


def whole_run(world: World) -> None:
    """From a dataset to the pointer."""
    workflow = world.workflow
    before = workflow.pointer()
    with reading(workflow) as failures:
        ended = workflow.run()
    assert (ended["status"], failures) == ("SUCCEEDED", []), ended.get("cause")
    record = workflow.record(ended["name"])
    assert workflow.pointer() == record["deployment_arn"] != before
    assert ":provisioned-model/" in record["deployment_arn"]
    assert events(record) == world.events("model_deployed", "pointer_moved", "models_retired")


def fail(world: World, step: str, run: str) -> None:
    """Let a step of the next run fail."""

    def everything(*_: object) -> bool:
        return True

    def of_run(_: str, tags: Any) -> bool:
        return bool(tags.get("nova-constructs:checkpoint") == checkpoint)

    checkpoint = world.workflow.record(run)["checkpoint_uri"]
    if step == "import":
        world.faults.fail_import(everything)
    elif step == "deployment":
        world.faults.fail_deployment(everything)
    elif step == "update":
        world.faults.fail_update(everything)
    elif step == "smoke":
        world.faults.answer(of_run, "")
    else:
        update = LOST[world.target][1]
        world.faults.after("bedrock", update, lambda: world.faults.answer(of_run, ""))
