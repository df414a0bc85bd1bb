"""`nova drain` and `nova orphans` on the emulator: everything ends before the stack goes, or is found after it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nova_constructs.cli import aws, root
from nova_constructs.cli.drain import work
from nova_constructs.cli.drain.left import Left, Watch
from nova_constructs.emulator import Emulator
from tests.workflow.harness import ENTRY, SPEED, Workflow, dataset, synthesize, until
from tests.workflow.paths import dataset_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
TAG = "Nova-Demo/Demo"
Nova = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workflow]:
    """Return a customization whose runs wait for one another, and whose tables outlive their stack, as by default."""
    triggers = [{"name": "Data", "on": "dataset", "mode": "train"}]
    with Emulator(speed=SPEED) as emulator:
        # A job that never ends is to be met by nothing but what is under test.
        platform = {**ENTRY["platform"], "max_runtime_hours": 600}
        settings = {"concurrency": "QUEUE", "triggers": triggers, "removal_policy": "retain", "platform": platform}
        yield Workflow(emulator, synthesize(tmp_path_factory.mktemp("drain"), **settings))


@pytest.fixture
def nova(workflow: Workflow, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Nova:
    """Run `nova` in this process, on the emulator, with `--json`; return the code and the document."""
    monkeypatch.setattr(aws, "client", workflow.emulator.client)
    monkeypatch.setattr(work, "POLL_SECONDS", 0.1)
    monkeypatch.delenv("NOVA_STACK", raising=False)

    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        code = root.run([*arguments, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Do something once, after the first look at what is left."""
    look = Watch.look

    def do(step: Callable[[], None]) -> None:
        steps = [step]

        def looked(watch: Watch) -> list[Left]:
            found = look(watch)
            if steps:
                steps.pop()()
            return found

        monkeypatch.setattr(Watch, "look", looked)

    return do


def start(workflow: Workflow, name: str, mode: str) -> str:
    workflow.put("IncomingBucketName", f"uploads/{name}.jsonl", dataset_of(name))
    return workflow.start(dataset=f"s3://{workflow['IncomingBucketName']}/uploads/{name}.jsonl", mode=mode)


def training(workflow: Workflow) -> str:
    """Wait for a job that trains, and has read all that it needs; return its name."""
    sagemaker = workflow.emulator.client("sagemaker")

    def found() -> str | None:
        described = [sagemaker.describe_training_job(TrainingJobName=name) for name in workflow.live_jobs()]
        return next((job["TrainingJobName"] for job in described if job["SecondaryStatus"] == "Training"), None)

    name: str = until(found, "the training job")
    workflow.emulator.clock.sleep(600)
    return name


def output(workflow: Workflow, arn: str) -> dict[str, Any]:
    return dict(json.loads(workflow.finish(arn)["output"]))


def test_a_drain_waits_for_the_run_at_work_and_sends_away_who_comes(
    workflow: Workflow, nova: Nova, meanwhile: Callable[[Callable[[], None]], None]
) -> None:
    first = start(workflow, "first", "train")
    until(lambda: workflow.live_jobs() or None, "the training job")
    queued = start(workflow, "queued", "prepare")
    workflow.reach(queued, "AwaitTurn")
    came: list[str] = []

    def more() -> None:
        came.append(start(workflow, "came", "prepare"))
        workflow.burst([dataset(salt="kept")])

    meanwhile(more)
    code, told = nova("drain", TAG, "--timeout", "200s")
    assert (code, told["drained"], told["left"], told["stopped"]) == (0, True, [], [])
    assert (workflow.live_jobs(), workflow.open_rows(), workflow.lock_holders()) == ([], [], [])
    assert workflow.describe(first)["status"] == "SUCCEEDED"
    names = [arn.rsplit(":", 1)[1] for arn in (queued, *came)]
    assert sorted(told["turned_away"]) == sorted(names)
    for arn in (queued, *came):
        skipped = output(workflow, arn)
        assert skipped["status"] == "SKIPPED"
        assert skipped["cause"].startswith("The customization is being drained since 20")
        assert f" by {told['by']}: no run starts" in skipped["cause"]
    until(lambda: nova("drain")[1]["arrivals_kept"] or None, "what was uploaded")
    workflow.emulator.clock.sleep(2 * 3600)
    assert workflow.started_by("Data") == []

    # What had arrived starts a run, and that run is stopped in the middle of its job.
    workflow.emulator.faults.never_finish("training", times=1)
    code, told = nova("drain", "--undo")
    assert (code, sorted(told["by_hand"]), told["again"]) == (0, sorted(names), {})
    started = until(lambda: next(iter(workflow.started_by("Data")), None), "the run of what was kept")
    until(lambda: workflow.live_jobs() or None, "the training job")
    code, told = nova("drain", "--stop", "--yes", "--reason", "the stack goes", "--timeout", "200s")
    run_id = started["arn"].rsplit(":", 1)[1]
    assert (code, told["drained"], told["stopped"]) == (0, True, [run_id])
    assert (workflow.live_jobs(), workflow.open_rows(), workflow.lock_holders()) == ([], [], [])
    record = workflow.record(run_id)
    assert (record["status"], record["error"]) == ("ABORTED", "Drained")
    assert record["cause"] == f"nova drain by {told['by']}: the stack goes"
    assert nova("drain", "--undo")[0] == 0


def test_after_the_stack_a_job_that_was_left_behind_is_found_by_its_tags_and_stopped(
    workflow: Workflow, nova: Nova
) -> None:
    workflow.emulator.faults.never_finish("training", times=1)
    run_id = start(workflow, "left-behind", "train").rsplit(":", 1)[1]
    job = training(workflow)
    _, told = nova("orphans", "stop", "--yes")
    assert (told["stopped"], workflow.live_jobs()) == ([], [job])  # its run is alive
    # While the stack goes, nobody learns of the end of the run, and nobody who does can stop the job.
    faults = workflow.emulator.faults
    faults.lose_event("Step Functions Execution Status Change", times=None)
    for function in ("Reconcile", "ClosingClose"):
        faults.crash_function(function, times=None)
    workflow.emulator.destroy("Nova-Demo")
    assert workflow.live_jobs() == [job]
    code, told = nova("orphans", "list")
    [found] = told["jobs"]
    assert (code, told["unseen"], told["live"]) == (0, [], [])
    assert {name: found[name] for name in ("name", "customization", "run_id", "stage", "why", "usd_per_hour")} == {
        "name": job,
        "customization": TAG,
        "run_id": run_id,
        "stage": "training",
        "why": "stack Nova-Demo is gone",
        "usd_per_hour": 253.18,
    }
    code, told = nova("orphans", "stop", "--yes")
    assert (code, [each["name"] for each in told["stopped"]]) == (0, [job])
    until(lambda: not workflow.live_jobs() or None, "the end of the job")
    described = workflow.emulator.client("sagemaker").describe_training_job(TrainingJobName=job)
    assert "Stopping" in [each["Status"] for each in described["SecondaryStatusTransitions"]]
    assert nova("orphans", "list")[1]["jobs"] == []
