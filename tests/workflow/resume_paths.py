"""The path that proves the permissions of resuming a run: each stage finds what the earlier run has left."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.workflow.harness import Workflow
from tests.workflow.paths import closed


def resumed(workflow: Workflow) -> None:
    """Everything is done but the import, which fails; the run after it takes all that and imports."""
    workflow.emulator.faults.fail_import("import", times=1)
    first = workflow.run()
    assert first["status"] == "FAILED", first.get("output")
    closed(workflow, first["executionArn"])
    asked = {name: value for name, value in json.loads(first["input"]).items() if name != "trigger"}
    again = workflow.finish(workflow.start(**asked, resume=first["name"]))
    assert again["status"] == "SUCCEEDED", again.get("cause")
    ledger = workflow.record(again["name"])["ledger"]
    taken = {event["detail"]["stage"] for event in ledger if event["type"] == "stage_taken"}
    assert {"training", "training-more", "evaluation-mmlu", "batch-inference", "data-batch-inference"} <= taken


RESUME_PATHS: dict[str, Callable[[Workflow], None]] = {"resumed": resumed}
