"""Runs by mode that end early: an emulator of their own, since their customizations differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_constructs.emulator import Emulator
from tests.workflow.harness import SPEED, Workflow, synthesize
from tests.workflow.test_modes import calls, finish, upload

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_an_evaluation_that_the_gate_refuses_is_rejected(tmp_path: Path) -> None:
    assembly = synthesize(tmp_path, gate={"criteria": [{"task": "mmlu", "floor": 0.999}]})
    with Emulator(speed=SPEED) as emulator:
        found = finish(Workflow(emulator, assembly), mode="evaluate", model="base")
    assert (found["status"], found["gate"]["verdict"]) == ("REJECTED", "FAILED")
    assert found["scores"]


def test_a_run_of_another_rank_is_no_base_and_nothing_is_made(tmp_path: Path) -> None:
    full = synthesize(tmp_path / "full", method="SFT_FULL", deployment={"target": "NONE"})
    lora = synthesize(tmp_path / "lora", deployment={"target": "NONE"})
    with Emulator(speed=SPEED) as emulator:
        before = Workflow(emulator, full)
        trained = finish(before, dataset=upload(before, "full"), mode="train")
        workflow = Workflow(emulator, lora)
        uri = upload(workflow, "lora")
        objects = _objects(workflow)
        emulator.calls.clear()
        ended = workflow.finish(workflow.start(dataset=uri, base_run=trained["run"]))
        workflow.record(ended["name"])
        assert (ended["status"], ended["error"]) == ("FAILED", "InvalidRequest")
        assert f"base_run: run {trained['run']} trained by SFT_FULL, which is full rank" in ended["cause"]
        made = {action for action in calls(workflow) if action.split(":")[1].startswith(("Create", "Import"))}
        # Streams for the logs of functions are all that was created.
        assert made <= {"logs:CreateLogStream", "logs:CreateLogGroup"}
        assert {name for name in _objects(workflow) - objects if "/ledger/" not in name} == {
            f"{workflow['AuditBucketName']}/runs/{ended['name']}/record.json"
        }


def _objects(workflow: Workflow) -> set[str]:
    return {
        f"{bucket['Name']}/{each['Key']}"
        for bucket in workflow.s3.list_buckets()["Buckets"]
        for page in workflow.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"])
        for each in page.get("Contents", ())
    }
