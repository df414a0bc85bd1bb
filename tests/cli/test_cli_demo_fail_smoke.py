"""`nova demo --fail-smoke`: a model that does not answer never gets into production, which goes on answering."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_model_that_does_not_answer_fails_its_run_and_production_answers() -> None:
    command = [sys.executable, "-c", "from nova_constructs.cli import main; main()", "demo", "--fail-smoke", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert (told["status"], told["error"]) == ("FAILED", "DeploymentFailed")
    # The cause is the smoke prompt of the second run's own deployment, and no other failure of a deployment.
    assert "does not answer" in told["cause"]
    assert "ModelErrorException" in told["cause"]
    assert told["pointer"]["before"] == told["pointer"]["after"]
    assert told["pointer"]["after"] not in told["cause"]
    assert told["production"]["arn"] == told["pointer"]["after"]
    assert (told["production"]["answers"], bool(told["production"]["said"].strip())) == (True, True)
    assert told["gate"]["verdict"] == "PASSED"
    assert told["answer"] is None
    assert "hosting fault" in told["injected"]
    assert told["iam"]["denied"] == []
