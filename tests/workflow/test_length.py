"""A run of five days leaves no longer a history than one of an hour."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_constructs.emulator import Emulator
from tests.workflow.harness import ENTRY, Workflow, synthesize
from tests.workflow.paths import lasting

SPEED = 36_000.0
HOUR, FIVE_DAYS = 3600.0, 5 * 86_400.0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_history_and_transitions_do_not_grow_with_the_length_of_a_job(tmp_path: Path) -> None:
    platform = {**ENTRY["platform"], "max_runtime_hours": 24 * 7}
    assembly = synthesize(tmp_path, platform=platform, reconcile_interval_minutes=60)
    found = {}
    with Emulator(speed=SPEED) as emulator:
        workflow = Workflow(emulator, assembly)
        for seconds in (HOUR, FIVE_DAYS):
            with lasting(workflow, training_seconds=seconds):
                ended = workflow.run()
            assert ended["status"] == "SUCCEEDED", ended.get("cause")
            assert (ended["stopDate"] - ended["startDate"]).total_seconds() >= seconds
            arn = ended["executionArn"]
            found[seconds] = (len(workflow.path(arn)), len(workflow.history(arn)))
    assert found[HOUR] == found[FIVE_DAYS]
    assert found[HOUR][0] <= 40
