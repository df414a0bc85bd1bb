"""One run from a dropped dataset to a model that answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_handlers.protocol import ledger
from tests.workflow.harness import Workflow, jsonl

ROWS = [{"question": f"What is {n} times three?", "answer": f"It is {3 * n}."} for n in range(200)]
FAULTY = [{"question": "", "answer": "empty"}]


@pytest.fixture(scope="module")
def ended(workflow: Workflow) -> dict[str, Any]:
    return workflow.run(jsonl(ROWS + FAULTY))


@pytest.fixture(scope="module")
def output(ended: dict[str, Any]) -> dict[str, Any]:
    assert ended["status"] == "SUCCEEDED", ended.get("cause")
    return json.loads(ended["output"])  # type: ignore[no-any-return]


def test_it_succeeds(output: dict[str, Any]) -> None:
    assert output["status"] == "SUCCEEDED"


def test_no_row_is_lost(output: dict[str, Any]) -> None:
    rows = output["rows"]
    assert rows == {"in": 201, "out": 200, "rejected": 1, "duplicate": 0, "leaked": 0, "over_limit": 0}


def test_every_job_is_in_the_output(output: dict[str, Any]) -> None:
    stages = {job["stage"]: job["kind"] for job in output["jobs"]}
    assert stages == {
        "training": "TrainingJob",
        "evaluation-mmlu": "TrainingJob",
        "evaluation-gen_qa": "TrainingJob",
        "import": "CustomModel",
        "deployment": "CustomModelDeployment",
    }


def test_the_pointer_moves_to_the_deployment(workflow: Workflow, output: dict[str, Any]) -> None:
    assert output["pointer"]["after"] == output["deployment_arn"] == workflow.pointer()
    assert output["pointer"]["name"] == workflow["PointerParameterName"]


def test_the_deployed_model_answers(workflow: Workflow, output: dict[str, Any]) -> None:
    asked = [{"role": "user", "content": [{"text": ROWS[7]["question"]}]}]
    reply = workflow.emulator.client("bedrock-runtime").converse(modelId=output["deployment_arn"], messages=asked)
    assert reply["output"]["message"]["content"][0]["text"]


def test_the_whole_run_takes_at_most_40_transitions(workflow: Workflow, ended: dict[str, Any]) -> None:
    assert len(workflow.path(ended["executionArn"])) <= 40


def test_no_call_was_denied(workflow: Workflow, output: dict[str, Any]) -> None:
    assert [f"{c.role_name} {c.action} {c.resource}" for c in workflow.emulator.calls.denied()] == []


def test_nothing_is_left_running(workflow: Workflow, output: dict[str, Any]) -> None:
    workflow.nothing_left_running()


def test_the_record_tells_the_run_and_its_chain_holds(workflow: Workflow, ended: dict[str, Any]) -> None:
    record = workflow.record(ended["name"])
    assert record["status"] == "SUCCEEDED"
    types = [event["type"] for event in record["ledger"]]
    assert types[0] == "run_started"
    assert types[-1] == "run_closed"
    assert {"data_prepared", "checkpoint_resolved", "evaluation_read", "gate_decided", "pointer_moved"} <= set(types)
    assert ledger.verify([ledger.LedgerEvent(**event) for event in record["ledger"]]) == []


def test_task_tokens_are_nowhere_but_in_the_registry(workflow: Workflow, ended: dict[str, Any]) -> None:
    # A smoke prompt's limit is in the tokens of a model.
    told = json.dumps(workflow.record(ended["name"])).lower().replace("tokens_", "").replace('"max_tokens"', "")
    assert "token" not in told


def test_the_same_content_again_is_skipped(workflow: Workflow, ended: dict[str, Any]) -> None:
    again = workflow.run(jsonl(ROWS + FAULTY))
    assert again["status"] == "SUCCEEDED"
    assert json.loads(again["output"])["status"] == "SKIPPED"
    assert workflow.lock_holders() == []
