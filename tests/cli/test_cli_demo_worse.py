"""`nova demo --worse`: a worse model is found out by its scores, and production stays what it was."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("platform", ["SMTJ", "SMHP"])
def test_a_worse_model_is_rejected_and_production_stays(platform: str) -> None:
    started = [sys.executable, "-c", "from nova_constructs.cli import main; main()"]
    command = [*started, "demo", "--worse", "--platform", platform, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    told = json.loads(done.stdout)
    assert (told["status"], told["gate"]["verdict"]) == ("REJECTED", "FAILED")
    assert told["pointer"]["before"] == told["pointer"]["after"] is not None
    passed = {criterion["kind"]: criterion["passed"] for criterion in told["gate"]["criteria"]}
    assert passed == {"floor": True, "not_worse_than_production": False}
    scores = {score["model"]: score["metrics"]["accuracy"] for score in told["scores"] if score["task"] == "mmlu"}
    assert scores["candidate"] < scores["production"] - 0.05
    assert told["iam"]["denied"] == []
