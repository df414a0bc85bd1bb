"""`nova demo` on both platforms: the same run, by training jobs or by jobs on a HyperPod cluster."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    ("platform", "kind"), [("SMTJ", "TrainingJob"), ("SMHP", "PyTorchJob")], ids=["training jobs", "hyperpod"]
)
def test_the_demo_says_its_platform_and_the_jobs_there(platform: str, kind: str) -> None:
    code = "from nova_constructs.cli import main; main()"
    command = [sys.executable, "-c", code, "demo", "--platform", platform, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["status"], told["platform"]) == ("SUCCEEDED", platform)
    on_platform = [job for job in told["jobs"] if job["platform"]]
    assert (on_platform[0]["stage"], on_platform[0]["kind"]) == ("training", kind)
    assert {job["stage"] for job in on_platform} == {"training", "evaluation-mmlu", "evaluation-gen_qa"}
    assert {(job["kind"], job["platform"], job["status"]) for job in on_platform} == {(kind, platform, "CLOSED")}
    assert told["iam"]["denied"] == []
    assert told["iam"]["unused"] == []
    assert told["answer"]
