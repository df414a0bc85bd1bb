"""Retention, rollback, canary and what a deleted stack leaves: the synthesized template on the emulator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nova_constructs.emulator import Emulator
from tests.cli.cli_support import Nova
from tests.cli.conftest import nova as nova
from tests.workflow.harness import SPEED, Workflow, synthesize, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
QUESTION = [{"role": "user", "content": [{"text": "Hello?"}]}]
DEPLOYMENT = {"target": "BEDROCK_OD", "keep": 1, "bake": {"minutes": 10080, "latency_seconds": 60}}


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflow]:
    assembly: Path = synthesize(tmp_path_factory.mktemp("rollback"), deployment=DEPLOYMENT, removal_policy="retain")
    with Emulator(speed=SPEED) as emulator:
        yield Workflow(emulator, assembly)


@pytest.fixture(autouse=True)
def _pointed_at_the_emulator(workflow: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in workflow.emulator.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NOVA_STACK", raising=False)


def run(workflow: Workflow) -> str:
    ended = workflow.run()
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    return str(ended["name"])


def listed(nova: Nova, *arguments: str) -> dict[tuple[str, str], str]:
    """Return where each thing stands, by its kind and the run that made it."""
    ran = nova("models", "list", "--json", *arguments)
    assert ran.code == 0, ran.out
    return {(each["kind"], each["run_id"]): each["standing"] for each in json.loads(ran.out)}


def both(run_id: str, standing: str) -> dict[tuple[str, str], str]:
    return {("deployment", run_id): standing, ("model", run_id): standing}


def rolled_back(workflow: Workflow, run_id: str) -> dict[str, Any]:
    """Return the event of the rollback that withdrew a run's deployment."""
    items = workflow.emulator.client("dynamodb").scan(TableName=workflow["RunLedgerTableName"])["Items"]
    details = [json.loads(item["detail"]["S"]) for item in items if item["type"]["S"] == "pointer_rolled_back"]
    return next(detail for detail in details if detail["withdrawn_run_id"] == run_id)


def answers(workflow: Workflow) -> None:
    client = workflow.emulator.client("bedrock-runtime")
    assert client.converse(modelId=workflow.pointer(), messages=QUESTION)["output"]["message"]["content"][0]["text"]


def test_it_all_in_one_account(workflow: Workflow, nova: Nova) -> None:
    """One account, in the order of its life: promotions, rollbacks, an alarm, a prune, the end of the stack."""
    workflow.emulator.calls.clear()
    first = run(workflow)
    refused = nova("rollback", "--yes", "--json")
    assert (refused.code, "first in production" in json.loads(refused.out)["cause"]) == (2, True)

    second = run(workflow)
    assert listed(nova) == both(first, "rollback") | both(second, "live")
    third = run(workflow)
    assert listed(nova) == both(second, "rollback") | both(third, "live")
    record = workflow.record(third)
    [retired] = [event["detail"] for event in record["ledger"] if event["type"] == "models_retired"]
    assert [(each["kind"], each["run_id"]) for each in retired["removed"]] == [("deployment", first), ("model", first)]
    assert (retired["left"], retired["trouble"]) == ([], "")

    metrics = workflow.emulator.client("cloudwatch")
    names = until(
        lambda: {each["MetricName"] for each in metrics.list_metrics(Namespace="NovaConstructs")["Metrics"]} or None,
        "the metrics of the canary",
    )
    assert names == {"Failures", "LatencyMs"}

    asked = nova("rollback", "--reason", "it stammers")
    assert (asked.code, "add --yes" in asked.err) == (2, True)
    done = nova("rollback", "--reason", "it stammers", "--yes", "--json")
    assert (done.code, json.loads(done.out)["live"]["run_id"]) == (0, second)
    assert workflow.pointer() == json.loads(done.out)["live"]["arn"]
    event = rolled_back(workflow, third)
    assert (event["reason"], event["by"]["claim"].startswith("arn:aws:")) == ("it stammers", True)
    assert listed(nova) == both(second, "live") | both(third, "retired")
    answers(workflow)

    assert nova("rollback", "--to", third, "--yes").code == 0
    fourth = run(workflow)
    workflow.emulator.faults.no_answer(fourth)  # the canary finds out, and its alarm goes off
    until(lambda: workflow.pointer() == deployment_of(workflow, third) or None, "the rollback by the alarm")
    assert rolled_back(workflow, fourth)["by"]["alarm"].startswith("Nova-Demo")
    answers(workflow)

    shown = nova("models", "prune", "--json")
    assert (shown.code, fourth in str(listed(nova))) == (2, True)
    pruned = nova("models", "prune", "--yes", "--json")
    gone = json.loads(pruned.out)
    assert (pruned.code, {each["run_id"] for each in gone["removed"]}, gone["left"]) == (0, {fourth}, [])
    assert listed(nova)[("deployment", third)] == "live"
    assert nova("models", "prune", "--live-too", "--yes").code == 2
    assert [f"{c.role_name} {c.action} {c.resource}" for c in workflow.emulator.calls.denied()] == []

    assert "`nova models prune --customization Nova-Demo/Demo` shows and removes these" in workflow["AfterDeletion"]
    holding = data_of(workflow)
    workflow.emulator.client("cloudformation").delete_stack(StackName="Nova-Demo")
    assert data_of(workflow) == holding
    shown = nova("models", "prune", "--customization", "Nova-Demo/Demo", "--live-too")
    everything = listed(nova, "--customization", "Nova-Demo/Demo")
    assert (shown.code, f"{len(everything)} would be removed, and nobody" in shown.err) == (2, True)
    left = listed(nova, "--customization", "Nova-Demo/Demo")
    assert left[("deployment", third)] == "live"
    answers(workflow)
    assert nova("models", "prune", "--customization", "Nova-Demo/Demo", "--yes").code == 0
    assert listed(nova, "--customization", "Nova-Demo/Demo") == both(third, "live")
    last = nova("models", "prune", "--customization", "Nova-Demo/Demo", "--live-too", "--yes", "--json")
    assert (last.code, len(json.loads(last.out)["removed"])) == (0, 2)
    assert workflow.pointer() is None
    assert nova("models", "list", "--customization", "Nova-Demo/Demo").code == 2


def data_of(workflow: Workflow) -> dict[str, int]:
    """Return how many objects and items each bucket and table of the customization has; all of them have some."""
    found = {}
    for output, name in workflow.stack.outputs.items():
        if output.endswith("BucketName"):
            found[output] = len(workflow.s3.list_objects_v2(Bucket=name).get("Contents", []))
        elif output.endswith("TableName"):
            found[output] = workflow.emulator.client("dynamodb").scan(TableName=name, Select="COUNT")["Count"]
    assert {"DemoAuditBucketName", "DemoPreparedBucketName", "DemoRunLedgerTableName"} <= set(found)
    assert min(found["DemoAuditBucketName"], found["DemoRunLedgerTableName"]) > 0
    return found


def deployment_of(workflow: Workflow, run_id: str) -> str:
    return str(json.loads(workflow.describe(execution(workflow, run_id))["output"])["deployment_arn"])


def execution(workflow: Workflow, run_id: str) -> str:
    return f"{workflow['StateMachineArn'].replace(':stateMachine:', ':execution:')}:{run_id}"
