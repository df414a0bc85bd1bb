"""`nova run` against a deployed stack: the demo's, on the embedded emulator, through the standard environment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nova_constructs.cli.demo.checks import check
from nova_constructs.cli.demo.dataset import EXAMPLE
from nova_constructs.cli.demo.synth import synthesis
from nova_constructs.cli.interrupts import Interrupts
from nova_constructs.cli.run import waiting
from tests.cli.cli_support import Nova

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    from nova_constructs.emulator import Emulator

    folder = tmp_path_factory.mktemp("synth")
    request = check(data=None, columns=None, model="NOVA_LITE_2", method="SFT_LORA")
    with synthesis(request, folder, Interrupts()) as synthesized:
        assembly = synthesized()
    with Emulator() as emulator:
        deployment = emulator.deploy(assembly)
        bucket = deployment.outputs["demoIncomingBucketName"]
        emulator.client("s3").upload_file(str(EXAMPLE / "gen_qa.jsonl"), bucket, "evaluation/gen_qa.jsonl")
        yield emulator.environment


@pytest.fixture(autouse=True)
def _pointed_at_the_emulator(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NOVA_STACK", raising=False)
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.5)


def test_runs_are_started_skipped_stopped_listed_and_shown(nova: Nova, tmp_path: Path) -> None:
    first = nova("run", "start", EXAMPLE / "train.jsonl", "--reason", "first", "--wait", "--json")
    succeeded: dict[str, Any] = json.loads(first.out)
    assert (first.code, succeeded["status"]) == (0, "SUCCEEDED"), succeeded
    assert succeeded["rows"]["in"] == succeeded["rows"]["out"] == 120
    assert succeeded["pointer"]["after"] == succeeded["deployment_arn"]
    assert succeeded["jobs"][0]["stage"] == "training"
    assert {job["status"] for job in succeeded["jobs"]} == {"CLOSED"}
    assert succeeded["transitions"] <= 40

    again = nova("run", "start", EXAMPLE / "train.jsonl", "--stack", "Nova-demo", "--wait", "--json")
    skipped = json.loads(again.out)
    assert (again.code, skipped["status"], skipped["jobs"]) == (4, "SKIPPED", [])

    other = tmp_path / "other.jsonl"
    other.write_text("".join((EXAMPLE / "train.jsonl").read_text().splitlines(keepends=True)[:50]))
    started = json.loads(nova("run", "start", other, "--customization", "demo", "--json").out)
    assert started["status"] == "RUNNING"

    ended = nova("run", "stop", started["run_id"], "--reason", "wrong dataset", "--json")
    stopped = json.loads(ended.out)
    assert (ended.code, stopped["status"]) == (0, "ABORTED")
    assert {job["status"] for job in stopped["jobs"]} <= {"CLOSED"}

    listed = json.loads(nova("run", "list", "--json").out)
    assert [(run["run_id"], run["status"]) for run in listed] == [
        (started["run_id"], "ABORTED"),
        (skipped["run_id"], "SKIPPED"),
        (succeeded["run_id"], "SUCCEEDED"),
    ]

    shown = nova("run", "show", started["run_id"])
    assert shown.code == 1
    assert shown.out.startswith(f"Run {started['run_id']}  ABORTED")


def test_an_override_that_the_recipe_does_not_know_fails_the_run_before_any_job(nova: Nova) -> None:
    ran = nova(*("run", "start", EXAMPLE / "train.jsonl", "--force"), "--set", "no_such_key=1", "--wait", "--json")

    failed = json.loads(ran.out)
    assert (ran.code, failed["status"], failed["jobs"]) == (1, "FAILED", [])
    assert failed["error"] == "RecipeInvalid"
    assert "no_such_key" in failed["cause"]


def test_recipes_are_rendered_from_the_emulated_hub_as_from_the_snapshot(nova: Nova) -> None:
    command = ("recipe", "render", "--model", "NOVA_LITE_2", "--method", "RFT_LORA", "--set", "max_steps=20")
    ran = nova(*command)
    assert (ran.code, ran.out) == (0, nova(*command, "--hub", "bundled").out)
    assert ran.err.startswith("Hub: aws (credentials or an endpoint are set)")
